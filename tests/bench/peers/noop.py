"""The lower bound: Flask under gunicorn, the same route, a 202 without any work."""

import flask

app = flask.Flask(__name__)


@app.post("/webhooks/crm/<source>")
def receive(source: str) -> tuple[dict[str, int], int]:
    """Read the body and say yes."""
    flask.request.get_data()
    return {"accepted": 1}, 202
