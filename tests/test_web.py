"""What every route shares: one error shape, headers, strict parameters, the API description and its page."""

import re

import flask
import pytest
import yaml
from flask.views import MethodView
from marshmallow import Schema, fields
from openapi_spec_validator import validate
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import MethodNotAllowed, TooManyRequests

from service import web
from service.auth import declares
from service.errors import Conflict, TooMany
from service.web.validation_errors import refused
from tests.reports.world import World
from tests.support import settings_of


class AskSchema(Schema):
    number = fields.Integer()
    names = fields.List(fields.String())


class ToldSchema(Schema):
    number = fields.Integer(strict=True)


FAULTS = {
    "ours": lambda: Conflict("already_done", "It is done already.", headers={"X-Extra": "1"}),
    "limit": lambda: TooMany("rate_limited", "Wait.", headers={"Retry-After": "7"}),
    "bug": lambda: ZeroDivisionError("secret-in-a-bug"),
    "away": lambda: OperationalError("SELECT secret", {}, Exception("locked")),
    "pool": lambda: PoolTimeout("no connection"),
    "broken": lambda: IntegrityError("INSERT secret", {}, Exception("unique")),
    "method": lambda: MethodNotAllowed(valid_methods=["PUT"]),
    "slow": lambda: TooManyRequests(retry_after=9),
}


@pytest.fixture
def app() -> flask.Flask:
    app = flask.Flask("web", static_folder=None)
    api = web.setup(app, settings_of().web)
    blueprint = web.Blueprint("things", __name__, url_prefix="/v1", description="Things")

    @blueprint.route("/things")
    class Things(MethodView):
        @blueprint.arguments(AskSchema, location="query")
        @blueprint.response(200, ToldSchema)
        def get(self, asked):
            """A thing."""
            return asked

        @blueprint.arguments(AskSchema)
        @blueprint.response(201, ToldSchema)
        def post(self, asked):
            """Another thing."""
            return asked

    api.register_blueprint(blueprint)
    for prefix in ("/v1", "/dashboard", "/webhooks"):
        app.add_url_rule(f"{prefix}/fault/<name>", f"fault{prefix}", fault)
    return app


@declares("nobody: a test")
def fault(name: str):
    error = FAULTS[name]()
    raise error


@pytest.fixture
def client(app):
    return app.test_client()


def test_a_refusal_is_a_problem_document(client):
    answer = client.get("/v1/fault/ours")
    assert (answer.status_code, answer.content_type) == (409, "application/problem+json")
    assert answer.headers["X-Extra"] == "1"
    assert answer.get_json() == {
        "type": "/docs/problems/already_done",
        "title": "Conflict",
        "status": 409,
        "code": "already_done",
        "detail": "It is done already.",
        "request_id": answer.headers["X-Request-Id"],
    }


@pytest.mark.parametrize("prefix", ["/v1", "/webhooks", "/dashboard"])
@pytest.mark.parametrize(("name", "status"), [("bug", 500), ("broken", 500), ("away", 503), ("pool", 503)])
def test_an_internal_error_reveals_nothing(client, prefix, name, status, capsys):
    answer = client.get(f"{prefix}/fault/{name}")
    assert answer.status_code == status
    body = answer.get_data(as_text=True)
    assert "secret" not in body
    assert "Traceback" not in body
    assert answer.headers["X-Request-Id"] in body


@pytest.mark.parametrize("name", ["away", "pool"])
def test_an_outage_is_answered_503_with_retry_after(client, name):
    answer = client.get(f"/v1/fault/{name}")
    assert (answer.get_json()["code"], answer.headers["Retry-After"]) == ("database_away", "30")


@pytest.mark.parametrize(
    ("path", "method", "status", "code", "header"),
    [
        ("/v1/none", "GET", 404, "not_found", None),
        ("/none", "GET", 404, "not_found", None),
        ("/v1/things", "PUT", 405, "method_not_allowed", "Allow"),
        ("/v1/fault/method", "GET", 405, "method_not_allowed", "Allow"),
        ("/v1/fault/slow", "GET", 429, "rate_limited", "Retry-After"),
        ("/v1/fault/limit", "GET", 429, "rate_limited", "Retry-After"),
    ],
)
def test_errors_of_the_framework_keep_their_headers(client, path, method, status, code, header):
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert answer.get_json()["code"] == code
    assert header is None or answer.headers[header]


def test_the_dashboards_errors_stay_pages(client):
    for path in ("/dashboard/none", "/dashboard/fault/ours", "/dashboard/fault/bug", "/dashboard"):
        answer = client.get(path)
        assert answer.content_type == "text/html; charset=utf-8"
        assert "<h1>" in answer.get_data(as_text=True)
    assert client.get("/dashboards").content_type == "application/problem+json"


def test_redirects_are_no_errors(app, client):
    app.add_url_rule("/slash/", "slash", declares("nobody: a test")(lambda: "x"))
    moved = client.get("/slash?a=1", headers={"Host": "evil.example"})
    assert (moved.status_code, moved.headers["Location"], moved.text) == (308, "/slash/?a=1", "")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?bogus=1", "unknown_parameter"),
        ("?number=1&number=2", "invalid_parameter"),
        ("?number=x", "invalid_parameter"),
    ],
)
def test_query_strings_are_read_strictly(client, query, code):
    answer = client.get(f"/v1/things{query}")
    assert (answer.status_code, answer.get_json()["code"]) == (422, code)
    assert answer.get_json()["errors"]


def test_a_list_may_be_repeated(client):
    assert client.get("/v1/things?names=a&names=b&number=4").get_json() == {"number": 4}


def test_bodies_are_read_strictly(client):
    assert client.post("/v1/things", json={"bogus": 1}).get_json()["code"] == "unknown_parameter"
    assert client.post("/v1/things", json=[1]).status_code == 422
    assert client.post("/v1/things", data={"number": 1}).get_json()["code"] == "unsupported_media_type"
    assert client.post("/v1/things", data="{", content_type="application/json").get_json()["code"] == "not_json"


@pytest.mark.parametrize(
    ("says", "errors"),
    [
        ({"_schema": ["Invalid input type."]}, {"body": ["must be a JSON object"]}),
        ({"type": {0: ["must be a"], 1: ["must be b"]}}, {"type": ["must be a", "must be b"]}),
        ({"items": {3: {"id": ["Missing data for required field."]}}}, {"items.3.id": ["is missing"]}),
        ({"items": {3: {"_schema": ["Invalid input type."]}}}, {"items.3": ["must be a JSON object"]}),
        ({"question": {"foo": ["Unknown field."]}}, {"question.foo": ["is not known here"]}),
    ],
)
def test_each_mistake_is_named_by_its_place_and_what_would_be_right(says, errors):
    refusal = refused(says)
    assert (refusal.code, refusal.errors) == ("invalid_parameter", errors)


def test_a_wrong_body_address_or_method_is_told_what_would_be_right(client):
    assert client.post("/v1/things", json=[1]).get_json()["detail"] == "'body' must be a JSON object."
    assert "/docs" in client.get("/v1/none").get_json()["detail"]
    other = client.put("/v1/things", json={})
    assert ("Allow" in other.get_json()["detail"], "GET" in other.headers["Allow"]) == (True, True)


def test_every_answer_has_its_headers(client):
    for path in ("/v1/things", "/v1/none", "/dashboard/none", "/docs", "/v1/fault/bug"):
        headers = client.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Strict-Transport-Security" not in headers
    assert client.get("/v1/things").headers["Cache-Control"] == "no-store"
    secure = client.get("/v1/things", base_url="https://x.example").headers
    assert "max-age" in secure["Strict-Transport-Security"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("abcdef12-3456", True), ("short", False), ("x" * 65, False), ("evil\tid with blanks", False), ("é" * 9, False)],
)
def test_a_callers_request_id_is_kept_if_it_is_harmless(client, given, kept):
    answer = client.get("/v1/none", headers={"X-Request-Id": given})
    assert (answer.headers["X-Request-Id"] == given) is kept
    assert re.fullmatch(r"[A-Za-z0-9._-]{8,64}", answer.headers["X-Request-Id"])


def test_two_requests_never_share_an_id(client):
    assert len({client.get("/v1/none").headers["X-Request-Id"] for _ in range(20)}) == 20


def test_the_description_is_valid_and_the_same_every_time(quick_app):
    text = web.openapi_yaml(quick_app)
    assert text == web.openapi_yaml(quick_app)
    document = yaml.load(text, yaml.CSafeLoader)
    assert document["openapi"] == "3.1.0"
    validate(document)


@pytest.fixture
def quick_app(sqlite_engine):
    return World(sqlite_engine).app()


def test_the_description_names_every_route_and_every_error(quick_app):
    document = yaml.load(web.openapi_yaml(quick_app), yaml.CSafeLoader)
    described = {
        (method.upper(), path) for path, each in document["paths"].items() for method in each if method != "parameters"
    }
    served = {
        (method, re.sub(r"<(?:[^:>]*:)?([^>]*)>", r"{\1}", rule.rule))
        for rule in quick_app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/v1/")
    }
    assert served
    assert served <= described
    for path, each in document["paths"].items():
        for method, operation in each.items():
            if path.startswith("/v1/") and method != "parameters":
                assert {"401", "403", "422", "429"} <= operation["responses"].keys(), path
                assert operation["operationId"]
    ids = [o["operationId"] for p in document["paths"].values() for m, o in p.items() if m != "parameters"]
    assert len(set(ids)) == len(ids)
    assert {"/webhooks/crm/{source}", "/webhooks/x/{account}", "/healthz", "/readyz"} <= document["paths"].keys()
    problem = document["components"]["responses"]["UNPROCESSABLE_ENTITY"]["content"]
    assert list(problem) == ["application/problem+json"]


def test_the_bare_address_redirects(quick_app):
    client = quick_app.test_client()
    browser = client.get("/", headers={"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"})
    assert (browser.status_code, browser.headers["Location"]) == (302, "/dashboard/")
    places = client.get("/", headers={"Accept": "*/*"}).get_json()
    assert places["dashboard"] == "/dashboard/"
    assert {client.get(places[name]).status_code for name in ("api", "description")} == {200}


def test_the_description_is_served_as_it_is_committed(quick_app):
    answer = quick_app.test_client().get("/openapi.yaml")
    assert answer.get_data(as_text=True) == web.openapi_yaml(quick_app)


def test_the_description_is_built_once_an_application(quick_app):
    http = quick_app.test_client()
    first = {path: http.get(path).get_data() for path in ("/openapi.yaml", "/docs")}
    quick_app.extensions["flask-smorest"].clear()  # what it is built from
    assert {path: http.get(path).get_data() for path in first} == first


def test_the_page_of_the_description_needs_no_script_and_no_network(quick_app):
    http = quick_app.test_client()
    page = http.get("/docs").get_data(as_text=True)
    assert "GET /v1/summary" in page
    assert "POST /webhooks/crm/{source}" in page
    assert "<script" not in page
    assert "style=" not in page
    assert re.findall(r'(?:src|href)="(?!#)([^"]*)"', page) == [
        *("/docs/style.css", "/openapi.yaml", "/openapi.json", "/docs/versions"),
        *("/docs/spreadsheets/key", "/docs/spreadsheets/feed"),
    ]
    style = http.get("/docs/style.css")
    assert style.status_code == 200
    assert "url(" not in style.get_data(as_text=True)
