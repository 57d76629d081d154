"""One call to a CRM: where it may go, what counts as an answer, and how it signs in."""

import base64
import gzip
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask import Flask, Response, request
from hypothesis import given, settings
from hypothesis import strategies as st

from service.crm_api import get as module
from service.crm_api.address import Forbidden, place_of
from service.crm_api.client import Client
from service.crm_api.get import LARGEST, NoAnswer, get
from service.crm_api.path import Unaskable, filled, mistakes
from service.crm_api.sign_in import SignIn
from service.crm_api.wait import wait
from service.settings.declare import section_of
from service.settings.sources import Api
from tests.crm_api.crm import Crm, crm
from tests.serving import served
from tests.x_api.lines import open_line, trickle

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def api() -> Iterator[Crm]:
    with crm() as here:
        yield here


def settings_of(url: str, **more: Any) -> Api:
    found: Api = section_of(Api)().load({"base_url": url, **more})
    return found


def reason(url: str, **more: Any) -> str:
    with pytest.raises(NoAnswer) as caught:
        get(url, **more)
    return caught.value.reason


def test_an_answer_is_its_status_its_headers_and_its_json(api: Crm) -> None:
    api.answers = {"/a": {"b": 1}, "/gone": (404, {"error": "x"}), "/wait": (429, {}, {"Retry-After": "7"})}
    assert get(f"{api.url}/a").value == {"b": 1}
    assert (get(f"{api.url}/gone").status, get(f"{api.url}/gone").value) == (404, {"error": "x"})
    assert get(f"{api.url}/wait").headers["retry-after"] == "7"
    path, headers = api.asked[0]
    assert (path, headers["accept"], headers["accept-encoding"]) == ("/a", "application/json", "identity")
    assert headers["host"] == api.url.removeprefix("http://")


def test_a_redirect_is_not_followed_wherever_it_leads(api: Crm) -> None:
    api.answers = {"/a": lambda: Response("", 302, {"Location": f"{api.url}/inside"}), "/inside": {"secret": 1}}
    assert (get(f"{api.url}/a").status, api.paths) == (302, ["/a"])


def test_an_address_with_a_letter_no_address_has_is_no_answer(api: Crm) -> None:
    assert reason(f"{api.url}/a\x01") == "unreachable"
    assert reason(f"{api.url}/ä") == "unreachable"
    assert api.asked == []


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b"<html>", "text/html", "not_json"),
        (b"{", "application/json", "not_json"),
        (b"[" * 100_000, "application/json", "not_json"),
        (b"\xff", "application/json", "not_json"),
        (gzip.compress(b"{}", mtime=0), "application/json", "not_json"),
        (b'"' + b"x" * LARGEST + b'"', "application/json", "too_large"),
    ],
)
def test_only_json_of_a_reasonable_size_is_an_answer(api: Crm, body: bytes, content_type: str, expected: str) -> None:
    api.answers = {"/a": lambda: Response(body, 200, content_type=content_type)}
    assert reason(f"{api.url}/a") == expected


@pytest.mark.parametrize(
    "begins", [b"HTTP/1.1 200 ", b"HTTP/1.1 200 OK\r\nX-Words: ", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"]
)
def test_a_crm_that_sends_byte_by_byte_times_out(begins: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WITHIN_S", 0.3)
    with open_line(trickle(begins)) as line:
        assert reason(f"{line.url}/a") == "slow"


def test_a_silent_name_server_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    monkeypatch.setattr(module, "WITHIN_S", 0.1)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_given, **_how: (over.wait(20), [])[1])
    assert reason("https://crm.example/a") == "slow"
    over.set()


def test_no_proxy_of_the_environment_sees_a_call(api: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    api.answers = {"/a": {}}
    assert get(f"{api.url}/a").status == 200


def test_a_closed_port_is_reported() -> None:
    with crm() as gone:
        url = gone.url
    assert reason(f"{url}/a") == "unreachable"
    assert reason("https://no-such-host.invalid/a") == "unreachable"


def test_a_certificate_that_nobody_vouches_for_is_said_so() -> None:
    with served(Flask("crm"), tls=True) as url, pytest.raises(NoAnswer) as caught:
        get(f"{url}/a", networks=["127.0.0.0/8"])
    assert caught.value.reason == "unreachable"
    assert str(caught.value).startswith("Its certificate cannot be trusted: self")


# -- where it may go


def at(*ips: str) -> Any:
    return lambda _host, _port: list(ips)


@pytest.mark.parametrize(
    "ips",
    [
        ("10.0.0.1",), ("127.0.0.1",), ("169.254.169.254",), ("192.168.1.1",), ("100.64.0.1",), ("0.0.0.0",), ("::1",),
        ("fe80::1%eth0",), ("fd00::1",), ("::ffff:10.0.0.1",), ("224.0.0.1",), ("93.184.216.34", "10.0.0.1"),
    ],
)  # fmt: skip
def test_a_name_never_resolves_to_a_private_address(ips: tuple[str, ...]) -> None:
    with pytest.raises(Forbidden):
        place_of("https://crm.example.com/a", (), at(*ips))


def test_a_private_network_is_reached_only_where_it_is_named() -> None:
    assert place_of("https://crm.intern/a", ("10.0.0.0/8",), at("10.1.2.3")).ip == "10.1.2.3"
    with pytest.raises(Forbidden):
        place_of("https://crm.intern/a", ("10.0.0.0/16",), at("10.1.2.3"))
    assert place_of("https://crm.example.com:8443/a", (), at("93.184.216.34")).authority == "crm.example.com:8443"
    assert (
        place_of("https://crm.example.com/a", (), at("2606:2800:220:1::1")).origin == "https://[2606:2800:220:1::1]:443"
    )


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "https:///a", "https://u:p@a.example/", "https://u@a.example/", "file:///etc/passwd", "//a"],
)
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(Forbidden):
        place_of(url, (), at("93.184.216.34"))


def test_plain_http_goes_to_this_machine_only() -> None:
    assert place_of("http://localhost:8000/a", (), at("127.0.0.1")).ip == "127.0.0.1"
    with pytest.raises(Forbidden):
        place_of("http://crm.example.com/a", (), at("93.184.216.34"))
    assert reason("http://crm.example.com/a", ask=at("93.184.216.34")) == "forbidden"


# -- paths

KNOWN = {"conversation_id": "4711", "customer_ref": "c_1"}


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/api/v2/tickets/{conversation_id}.json", "/api/v2/tickets/4711.json"),
        ("/c/{customer_ref}/x?a=1&b={conversation_id}", "/c/c_1/x?a=1&b=4711"),
        ("/q?q=SELECT Id FROM P WHERE C='{customer_ref}'", "/q?q=SELECT%20Id%20FROM%20P%20WHERE%20C='c_1'"),
    ],
)
def test_a_path_is_filled_and_encoded(template: str, path: str) -> None:
    assert list(mistakes(template, set(KNOWN))) == []
    assert filled(template, KNOWN) == path


@pytest.mark.parametrize(
    ("cursor", "path"),
    [
        ("abc=", "/events?after=abc%3D"),
        ("abc%3D%3d", "/events?after=abc%3D%3D"),  # cut out of the address of the next page
        ("a%C3%A9%FF", "/events?after=a%C3%A9%FF"),
        ("50%|7%zz", "/events?after=50%25%7C7%25zz"),  # no escape: the cursor's own sign
        ("a/b+c&d#e", "/events?after=a%2Fb%2Bc%26d%23e"),
    ],
)
def test_a_cursor_is_encoded_once_wherever_it_was_found(cursor: str, path: str) -> None:
    assert filled("/events?after={cursor}", {"cursor": cursor}, frozenset({"cursor"})) == path


@pytest.mark.parametrize(
    "template",
    ["tickets", "//evil.example/{customer_ref}", "https://evil.example", "/a/../b", "/a\\b", "/a\r\nX: 1", "/{nobody}",
     "/a#b", "/ünïcode", "/{customer_ref", "/%{customer_ref}}"],
)  # fmt: skip
def test_a_template_that_could_lead_elsewhere_is_refused_with_the_settings(template: str) -> None:
    assert list(mistakes(template, set(KNOWN)))


POISON = (
    "..", "../x", "a/../b", "//evil.example", "@evil.example", "a\r\nHost: b", "%2e%2e", "a%2fb", "\u2024\u2024",
    "\u2025",
    "\uff0e\uff0e", "a?b", "a#b", "a b", "a'b", 'a"b', "x' OR '1'='1", "\x00", "-a", "a\\b", "a;b", "a&b", ".",
    "a..b", "", "x" * 300,
)  # fmt: skip


@pytest.mark.parametrize("value", POISON)
def test_a_gap_accepts_only_characters_of_ids(value: str) -> None:
    with pytest.raises(Unaskable) as caught:
        filled("/c/{customer_ref}", {"customer_ref": value})
    assert not value.strip(".-") or value not in str(caught.value)


@settings(max_examples=500, deadline=None)
@given(value=st.text(max_size=40))
def test_no_value_changes_the_shape_of_a_path(value: str) -> None:
    try:
        path = filled("/c/{customer_ref}/d?e={customer_ref}", {"customer_ref": value})
    except Unaskable:
        return
    assert path.isascii()
    assert path.isprintable()
    head, tail = path.split("?")
    assert head.startswith("/c/")
    assert head.endswith("/d")
    assert head.count("/") == 3
    assert tail.startswith("e=")
    assert ".." not in path
    assert not set(path) & set("\\#@\r\n ")


# -- signing in


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({"token": "t1"}, "authorization", "Bearer t1"),
        ({"token": "t1", "scheme": "Token "}, "authorization", "Token t1"),
        ({"token": "t1", "header": "api_access_token"}, "api_access_token", "t1"),
        ({"user": "me/token", "password": "p"}, "authorization", "Basic " + base64.b64encode(b"me/token:p").decode()),
        ({"user": "KEY"}, "authorization", "Basic " + base64.b64encode(b"KEY:").decode()),
    ],
)
def test_a_call_signs_in_as_the_settings_say(api: Crm, given: dict[str, str], name: str, value: str) -> None:
    if "_" in name:
        name = "x-token"
        given = {**given, "header": name}
    api.answers = {"/a": {}}
    Client(settings_of(api.url, **given), lambda: NOW).get("/a")
    assert api.asked[0][1][name] == value


class Issuer:
    """An address of tokens: each one is new, and asked for with id and secret."""

    def __init__(self, api: Crm, life: int = 3600) -> None:
        self.issued, self.refused = 0, set[str]()
        self.life = life
        api.answers = {"/token": self.issue, "/a": self.answer}

    def issue(self) -> Any:
        if request.form.get("client_secret") != "s":
            return 401, {}
        self.issued += 1
        return 200, {"access_token": f"t{self.issued}", "expires_in": self.life}

    def answer(self) -> Any:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        return (401, {}) if token in self.refused else {"token": token}


def oauth(api: Crm, **more: Any) -> Api:
    return settings_of(api.url, token_url=f"{api.url}/token", client_id="c", client_secret="s", **more)


def test_a_token_is_fetched_once_renewed_before_its_end_and_once_when_it_is_refused(api: Crm) -> None:
    issuer, clock = Issuer(api), [NOW]
    client = Client(oauth(api), lambda: clock[0])
    assert [client.get("/a").value["token"] for _ in range(3)] == ["t1", "t1", "t1"]
    clock[0] += timedelta(seconds=3541)
    assert client.get("/a").value["token"] == "t2"
    issuer.refused = {"t2"}
    assert client.get("/a").value["token"] == "t3"
    issuer.refused |= {"t3", "t4"}
    assert client.get("/a").status == 401
    assert issuer.issued == 4


@pytest.mark.parametrize("life", [2**63 - 1, 10**12, 10**30])
def test_a_token_that_never_ends_is_renewed_after_a_day(api: Crm, life: int) -> None:
    issuer, clock = Issuer(api, life), [NOW]
    client = Client(oauth(api), lambda: clock[0])
    assert [client.get("/a").value["token"] for _ in range(2)] == ["t1", "t1"]
    clock[0] += timedelta(days=1)
    assert client.get("/a").value["token"] == "t2"
    assert issuer.issued == 2


def test_a_late_refusal_keeps_a_token_renewed_meanwhile(api: Crm) -> None:
    Issuer(api)
    sign_in = SignIn(oauth(api))
    first = sign_in.headers(NOW)
    assert sign_in.forget(first)
    second = sign_in.headers(NOW)
    assert sign_in.forget(first), "another thread, refused with the old one as well, tries again with the new one"
    assert sign_in.headers(NOW) == second != first


def test_a_refused_secret_is_a_refusal_and_not_an_answer(api: Crm) -> None:
    Issuer(api)
    api.answers["/token"] = (401, {})
    with pytest.raises(NoAnswer) as caught:
        Client(oauth(api), lambda: NOW).get("/a")
    assert caught.value.reason == "refused"


@pytest.mark.parametrize(
    ("more", "name", "value"),
    [({"scheme": "Zoho-oauthtoken "}, "authorization", "Zoho-oauthtoken t1"), ({"header": "x-token"}, "x-token", "t1")],
)
def test_a_fetched_token_is_sent_as_a_given_one_would_be(api: Crm, more: dict[str, str], name: str, value: str) -> None:
    api.answers = {"/token": {"access_token": "t1"}, "/a": {}}
    Client(oauth(api, **more), lambda: NOW).get("/a")
    assert api.asked[1][1][name] == value


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((400, {"error": "invalid_scope", "error_description": "hidden"}), "answered 400 (invalid_scope), without"),
        ((401, {"error": "Hidden: s"}), "answered 401, without"),
        ((401, {"error": {"type": "hidden"}}), "answered 401, without"),
        ((401, ["hidden"]), "answered 401, without"),
        ((200, {"error": "unauthorized_client"}), "answered 200 (unauthorized_client), without"),
    ],
)
def test_why_there_is_no_token_is_said_by_the_word_that_oauth_has_for_it(api: Crm, answer: Any, says: str) -> None:
    api.answers = {"/token": answer}
    with pytest.raises(NoAnswer) as caught:
        Client(oauth(api), lambda: NOW).get("/a")
    assert says in str(caught.value)
    assert "idden" not in str(caught.value)


def test_settings_that_cannot_sign_in_are_named() -> None:
    for more, key in (
        ({"token": "t", "user": "u"}, "user"),
        ({"token_url": "https://a.example/t"}, "client_secret"),
    ):
        assert [where for where, _ in settings_of("https://a.example", **more).mistakes()] == [key]
    assert list(settings_of("https://a.example/x?y", token="t").mistakes())[0][0] == "base_url"  # noqa: RUF015


def test_a_name_that_nobody_knows_is_told_from_a_machine_that_is_off() -> None:
    with pytest.raises(NoAnswer) as caught:
        get("https://no-such-crm.invalid/a", ask=unknown)
    assert "name cannot be resolved" in str(caught.value)


def unknown(host: str, port: int) -> list[str]:
    raise socket.gaierror(-2, "Name or service not known")


def test_no_secret_shows_in_a_repr() -> None:
    shown = repr(settings_of("https://a.example", token="hidden-t", password="hidden-p", client_secret="hidden-c"))
    assert "hidden" not in shown


# -- when to come again


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "Sun, 22 Nov 2026 12:01:00 GMT"}, 60),
        ({"x-rate-limit-reset": str(int(NOW.timestamp()) + 30)}, 30),
        ({"x-ratelimit-reset": str((int(NOW.timestamp()) + 30) * 1000)}, 30),
        ({"ratelimit-reset": "12"}, 12),
        ({"retry-after": "0", "x-ratelimit-reset": "5"}, 5),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "1e300"}, None),
        ({"retry-after": f"Sun, 22 Nov {'9' * 20} 12:01:00 GMT"}, None),
        ({"x-rate-limit-reset": str(int(NOW.timestamp()) - 30)}, None),
        ({"x-hubspot-ratelimit-interval-milliseconds": "10000"}, 10),
        ({"x-hubspot-ratelimit-interval-milliseconds": "86400001"}, None),
        ({"x-hubspot-ratelimit-interval-milliseconds": "9" * 5000}, None),
        ({}, None),
    ],
)
def test_headers_with_a_waiting_time_are_read_and_useless_ones_ignored(
    headers: dict[str, str], seconds: int | None
) -> None:
    assert wait(headers, NOW) == (None if seconds is None else timedelta(seconds=seconds))


def test_the_body_of_a_refusal_is_read_if_possible(api: Crm) -> None:
    api.answers = {
        "/html": lambda: Response("<h1>no</h1>", 403, content_type="text/html"),
        "/long": lambda: Response(b'"' + b"x" * 20_000 + b'"', 403, content_type="application/json"),
        "/why": (403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED"}]),
    }
    assert [get(f"{api.url}{path}").value for path in ("/html", "/long")] == [None, None]
    assert get(f"{api.url}/why").value == [{"errorCode": "REQUEST_LIMIT_EXCEEDED"}]
