"""Limits of a request before any view sees it: its size, path, login and framing."""

import base64
import hmac
import io
from typing import Any

import flask
import pytest
from sqlalchemy.engine import Engine

from service.app import create_app
from service.serving import options
from service.web.bounds import SMALL, largest_body
from tests.floor.app import App
from tests.support import settings_of


class Counted(io.BytesIO):
    """A body that tells how much of it was read."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        part = super().read(size)
        self.taken += len(part)
        return part


def routes(app: flask.Flask) -> list[tuple[str, str, str]]:
    """Every method of every route, with an address it answers."""
    found = []
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<source>", "crm").replace("<preset>", "standard").replace("<account>", "acme")
        while "<" in path:
            path = path[: path.index("<")] + "x" + path[path.index(">") + 1 :]
        found += [(method, path, rule.endpoint) for method in sorted((rule.methods or set()) - {"OPTIONS"})]
    return found


def test_every_route_refuses_what_is_too_large_without_reading_it(sqlite_engine: Engine) -> None:
    app = create_app(settings_of(), sqlite_engine)
    client, seen = app.test_client(), 0
    for method, path, endpoint in routes(app):
        limit = largest_body(app, endpoint)
        body = Counted(b"x" * (limit + 1))
        answer = client.open(path, method=method, input_stream=body, content_length=limit + 1)
        assert (answer.status_code, body.taken) == (413, 0), (method, path)
        seen += 1
    assert seen > 60
    assert {largest_body(app, endpoint) for *_, endpoint in routes(app)} == {SMALL, 131_072, 240_000, 1_048_576}


@pytest.mark.parametrize("path", ["/dashboard/sign-in", "/v1/opt-outs"])
def test_a_body_of_unknown_length_is_cut_off_at_its_limit(sqlite_engine: Engine, path: str) -> None:
    app = App(sqlite_engine)
    body = Counted(b'{"x":"' + b"x" * 5_000_000)
    answer = app.call(
        "POST", path, app.key(), input_stream=body, content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )  # fmt: skip
    assert answer.status_code < 500
    assert body.taken <= 240_001


@pytest.mark.parametrize("path", ["/dashboard/sign-in", "/dashboard/timeline", "/f/AAAAAAAAAAAAAAAAAAAAAA", "/nowhere"])
def test_a_form_has_few_fields(sqlite_engine: Engine, path: str) -> None:
    app = App(sqlite_engine)
    statuses = [app.call("POST", path, data={f"n{n}": "a&b" for n in range(much)}).status_code for much in (250, 251)]
    assert statuses[0] < 413, "as many as it takes"
    assert statuses[1] == 413


def test_forms_take_no_files(sqlite_engine: Engine) -> None:
    answer = App(sqlite_engine).call("POST", "/dashboard/sign-in", data={"key": (io.BytesIO(b"x"), "key.txt")})
    assert answer.status_code == 415
    assert "Files are not accepted" in answer.text


def test_an_unreadable_request_is_a_client_error(sqlite_engine: Engine) -> None:
    class ParseException(Exception):
        """As gunicorn's, which we do not know."""

    class Broken(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            raise ParseException

    app = App(sqlite_engine)
    for path, content_type in (("/v1/opt-outs", "application/json"), ("/webhooks/crm/crm", "application/json")):
        answer = app.call(
            "POST", path, app.key(), input_stream=Broken(b""), content_type=content_type,
            environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
        )  # fmt: skip
        assert (answer.status_code, answer.get_json()["code"]) == (400, "broken_body")


@pytest.mark.parametrize("path", ["/v1/results/a%00b", "/v1/requests/%00", "/v1/customers/1%00", "/webhooks/x/%00"])
def test_a_nul_in_a_path_is_not_found(engine: Engine, path: str) -> None:
    app = App(engine)
    method = "DELETE" if "customers" in path else "GET"
    assert app.refused(404, method, path, app.key()) == "not_found"


def test_an_unreadable_authorization_header_is_401(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    for header in ("Basic \xff", "Basic AAA\u00e9", "Basic ===", "Basic Ym9i", "Digest a=\xff", "Bearer \xff"):
        for method, path in (("POST", "/webhooks/x/acme"), ("GET", "/v1/results"), ("POST", "/webhooks/crm/crm")):
            answer = app.call(method, path, headers={"Authorization": header})
            assert answer.status_code == 401, (header, path)


@pytest.mark.parametrize("body", ["[" * 100_000, '{"a":' * 50_000, "9" * 5_000, "1e999", "\ud800", '"\\ud800"', ""])
def test_any_json_is_answered(sqlite_engine: Engine, body: str) -> None:
    app = App(sqlite_engine, settings_of(web__max_body_bytes=1_048_576))
    answer = app.call(
        "POST", "/v1/opt-outs", app.key(), data=body.encode("utf-8", "surrogatepass"),
        content_type="application/json",
    )  # fmt: skip
    assert answer.status_code in {400, 413, 422}, answer.text
    assert answer.content_type == "application/problem+json"


# -- proxies


def address(settings: Any, engine: Engine, peer: str, forwarded: str) -> str:
    app = create_app(settings, engine)
    app.add_url_rule("/where", view_func=lambda: f"{flask.request.remote_addr} {flask.request.url_root}")
    headers = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": "https", "X-Forwarded-Host": "feedback.example"}
    return app.test_client().get("/where", headers=headers, environ_overrides={"REMOTE_ADDR": peer}).text


@pytest.mark.parametrize(
    ("web", "peer", "says"),
    [
        ({}, "10.0.0.1", "10.0.0.1 http://localhost/"),
        ({"web__trusted_proxies": 1}, "10.0.0.1", "192.0.2.9 https://feedback.example/"),
        (
            {"web__trusted_proxies": 1, "web__proxy_networks": ["10.0.0.0/8"]},
            "10.0.0.1",
            "192.0.2.9 https://feedback.example/",
        ),
        (
            {"web__trusted_proxies": 1, "web__proxy_networks": ["10.0.0.0/8"]},
            "::ffff:10.0.0.1",
            "192.0.2.9 https://feedback.example/",
        ),
        (
            {"web__trusted_proxies": 1, "web__proxy_networks": ["10.0.0.0/8"]},
            "192.0.2.1",
            "192.0.2.1 http://localhost/",
        ),
    ],
)
def test_forwarded_headers_count_from_trusted_proxies_only(
    sqlite_engine: Engine, web: dict[str, Any], peer: str, says: str
) -> None:
    assert address(settings_of(**web), sqlite_engine, peer, "192.0.2.9") == says


@pytest.mark.parametrize(("said", "scheme"), [("https", "https"), ("https, http", "https"), ("", "http")])
def test_a_scheme_that_one_of_two_proxies_set_stands_for_both(sqlite_engine: Engine, said: str, scheme: str) -> None:
    app = create_app(settings_of(web__trusted_proxies=2), sqlite_engine)
    app.add_url_rule("/where", view_func=lambda: flask.request.scheme)
    assert app.test_client().get("/where", headers={"X-Forwarded-Proto": said}).text == scheme


def test_the_server_itself_believes_no_forwarded_header() -> None:
    for proxies in (0, 1, 8):
        given = options(settings_of(web__trusted_proxies=proxies))
        assert (given["forwarded_allow_ips"], given["forwarder_headers"]) == ("", "")


@pytest.mark.parametrize("path", ["/dashboard", "/v1//results", "/f//x", "//evil.example/..", "/\\evil.example//x"])
def test_redirects_never_use_the_clients_host(sqlite_engine: Engine, path: str) -> None:
    answer = App(sqlite_engine).call("GET", path, headers={"Host": "evil.example"})
    where = answer.headers.get("Location", "/")
    assert where.startswith("/"), where
    assert not where.startswith(("//", "/\\")), where


def test_the_routers_redirects_work(sqlite_engine: Engine) -> None:
    answer = App(sqlite_engine).call("GET", "/dashboard", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.headers["Location"]) == (308, "/dashboard/")


# -- whom to tell


def test_security_txt_names_the_contact(sqlite_engine: Engine) -> None:
    path = "/.well-known/security.txt"
    named = App(sqlite_engine, settings_of(web__security_contact="mailto:security@acme.example"))
    assert named.call("GET", path).text.splitlines() == [
        "Contact: mailto:security@acme.example",
        "Expires: 2027-05-21T00:00:00Z",
        "Preferred-Languages: en",
        "Canonical: http://127.0.0.1:8000/.well-known/security.txt",
    ]
    assert named.call("GET", path).content_type == "text/plain; charset=utf-8"
    assert App(sqlite_engine).refused(404, "GET", path) == "no_security_contact"


def test_robots_and_favicon_are_answered(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    assert app.call("GET", "/robots.txt").text == "User-agent: *\nDisallow: /\n"
    assert app.call("GET", "/favicon.ico").status_code == 204


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", "text/plain", None])
@pytest.mark.parametrize("path", ["/webhooks/x", "/webhooks/x/acme"])
def test_what_x_sends_is_read_whatever_it_is_said_to_be(sqlite_engine: Engine, path: str, kind: str | None) -> None:
    login = ("x", "a-long-random-password")
    account = dict(zip(("accounts__acme__webhook_user", "accounts__acme__webhook_password"), login, strict=True))
    settings = settings_of(**account, accounts__acme__webhook_signature=True)
    secret, body = settings.accounts["acme"].consumer_secret, b'{"for_user_id": "1", "feedback_events": []}'
    proof = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
    signed = {"x-twitter-webhooks-signature": f"sha256={proof}"}
    client = create_app(settings, sqlite_engine).test_client()
    assert client.post(path, data=body, auth=login, headers=signed, content_type=kind).status_code == 200
