"""The style sheet and the logo, at an address with the digest of the content, cached for a year.

A changed file has a new address, so no browser keeps an old one. Serves only what was in `static/` at the start.
"""

import hashlib
import mimetypes
from pathlib import Path

import flask

from service.auth import declares
from service.errors import NotFound

FOLDER = Path(__file__).parent.parent / "static"
YEAR_S = 365 * 86400


def add_assets(blueprint: flask.Blueprint) -> None:
    """Serve the files and give templates `asset(name)`."""
    files = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.is_file()}
    digests = {name: hashlib.sha256(content).hexdigest()[:16] for name, content in files.items()}

    @blueprint.get("/static/<name>")
    @declares("nobody: style sheet and mark, the same for everybody")
    def static(name: str) -> flask.Response:
        if name not in files:
            raise NotFound("no_such_file", "There is no such file.")
        response = flask.Response(files[name], content_type=_content_type(name))
        response.set_etag(digests[name])
        if flask.request.args.get("v") == digests[name]:
            response.headers["Cache-Control"] = f"public, max-age={YEAR_S}, immutable"
        response.make_conditional(flask.request)
        return response

    @blueprint.app_template_global()
    def asset(name: str) -> str:
        return flask.url_for("dashboard.static", name=name, v=digests[name])


def _content_type(name: str) -> str:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
