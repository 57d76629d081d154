"""The bare address `/`: leads a browser to the dashboard and tells a program where everything is.

Says nothing that is not public anyway.
"""

import flask
from werkzeug.wrappers import Response

from service.auth import declares

DASHBOARD = "/dashboard/"
PLACES = {"dashboard": DASHBOARD, "api": "/docs", "description": "/openapi.yaml", "health": "/readyz"}


def register_root(app: flask.Flask) -> None:
    """Answer the bare address."""

    @app.get("/")
    @declares("nobody: where to begin holds no data")
    def root() -> Response:
        if flask.request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html":
            return flask.redirect(DASHBOARD, 302)
        return flask.jsonify({"name": "dm-feedback", **PLACES})
