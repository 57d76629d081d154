"""The description and what explains it, for everybody: /openapi.yaml, /docs and the pages below it.

The pages need no script and no network.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import flask
from markupsafe import Markup, escape

from service.auth import declares
from service.errors import NotFound
from service.web.docs.document import document, openapi_yaml
from service.web.docs.error_catalogue import known
from service.web.problems import CODES

CACHED = "public, max-age=300"
HTTP_CODES = (*CODES.items(), (500, "http_error"))
STYLE = Path(__file__).with_name("static") / "docs.css"


def register_docs(app: flask.Flask) -> None:
    """Serve the description and its page, covering everything registered by the first call."""
    # once an application: they are open to everybody and cost far more to build than to send
    described = cache(lambda: openapi_yaml(app))
    as_json = cache(lambda: flask.json.dumps(document(app)))
    drawn = cache(lambda: flask.render_template("docs.html", spec=document(app), schema_name=_schema_name, said=_said))
    docs = flask.Blueprint("docs", __name__, template_folder="templates")

    @docs.get("/openapi.yaml")
    @declares("nobody: the description of the API holds no data")
    def openapi() -> flask.Response:
        return public(described(), "application/yaml; charset=utf-8")

    @docs.get("/openapi.json")
    @declares("nobody: the description of the API holds no data")
    def openapi_json() -> flask.Response:
        return public(as_json(), "application/json")

    @docs.get("/docs/problems/<code>")
    @declares("nobody: what our refusals mean holds no data")
    def problem(code: str) -> flask.Response:
        found = known(HTTP_CODES).get(code)
        if found is None:
            raise NotFound("no_such_problem", "There is no error with this code; codes are in our answers.")
        return public(flask.render_template("problem.html", problem=found), "text/html; charset=utf-8")

    @docs.get("/docs/versions")
    @declares("nobody: how we change the API holds no data")
    def versions() -> flask.Response:
        return public(flask.render_template("versions.html"), "text/html; charset=utf-8")

    @docs.get("/docs")
    @declares("nobody: the description of the API holds no data")
    def page() -> flask.Response:
        return public(drawn(), "text/html; charset=utf-8")

    @docs.get("/docs/style.css")
    @declares("nobody: a stylesheet")
    def style() -> flask.Response:
        return public(STYLE.read_text("utf-8"), "text/css; charset=utf-8")

    app.register_blueprint(docs)


def public(body: str | bytes, content_type: str) -> flask.Response:
    """Return what anybody may read and keep for a while."""
    response = flask.Response(body, content_type=content_type)
    response.headers["Cache-Control"] = CACHED
    return response


def _said(text: str | None) -> Markup:
    """A text of the description: what stands between backticks is code."""
    parts = enumerate((text or "").split("`"))
    return Markup("").join(Markup("<code>{}</code>").format(part) if number % 2 else part for number, part in parts)


def _schema_name(schema: Mapping[str, Any]) -> Markup:
    """How the page names a schema: a link to what it refers to, or its type."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return Markup('<a href="#schema-{0}">{0}</a>').format(name)
    if "anyOf" in schema:
        return Markup(" or ").join(map(_schema_name, schema["anyOf"]))
    kind = schema.get("type", "")
    kinds = [kind] if isinstance(kind, str) else list(kind)
    if "array" in kinds:
        return Markup("list of {}").format(_schema_name(schema.get("items", {})))
    if "enum" in schema:
        return escape(" | ".join(str(each) for each in schema["enum"]))
    return escape(" or ".join(kinds) + (f" ({schema['format']})" if "format" in schema else ""))
