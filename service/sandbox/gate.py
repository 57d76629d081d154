"""The way every X call takes: signature, faults, limits, the endpoint, faults again, and a line in the record.

The endpoint runs under the world's lock; waiting never does.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from flask import Request as FlaskRequest
from flask import Response

from service.sandbox import faults, limits, oauth, oauth2_tokens, schedule, v2
from service.sandbox.call import Call
from service.sandbox.loopback import is_loopback
from service.sandbox.state import Exchange, World
from service.sandbox.writing import XRefusal

CUSTOMER_HEADER = "x-sandbox-customer"
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json;charset=utf-8"


@dataclass(frozen=True, slots=True)
class Route:
    """One documented route. `as_customer`: called as the recipient of a card."""

    name: str
    rule: str
    methods: tuple[str, ...]
    handler: Callable[[Call], Any]
    as_customer: bool = False

    @property
    def is_v2(self) -> bool:
        """Whether it takes OAuth 2.0 too and refuses with problems instead of codes."""
        return self.rule.startswith("/2/")


def answer(world: World, endpoint: Route, request: FlaskRequest, path_id: str | None) -> Response:
    """One call from its first byte to its record."""
    body = request.get_data(cache=True)
    with world.lock:
        line = Exchange(
            id=world.next_number(),
            at_ms=world.clock.now_ms(),
            endpoint=endpoint.name,
            method=request.method,
        )
        world.requests.append(line)
    try:
        response = _answer(world, endpoint, request, path_id, body, line)
    except XRefusal as error:
        line.code = error.code
        response = _json(error.status, v2.problem(error) if endpoint.is_v2 else error.body, error.headers)
    line.status = response.status_code
    return response


def _answer(
    world: World, endpoint: Route, request: FlaskRequest, path_id: str | None, body: bytes, line: Exchange
) -> Response:
    connection = request.environ.get("werkzeug.socket")
    with world.lock:
        now_ms = schedule.settle(world)
        call = _read(world, endpoint, request, path_id, body, now_ms)
        line.account, line.recipient = call.caller, _recipient(call)
        rule = faults.draw(world, endpoint.name, call.caller, line.recipient)
    spoiled = faults.strike(world, rule, "before", line, connection)
    if spoiled is not None:
        return spoiled.answer(b"")
    try:
        status, text, headers = _run(world, endpoint, call, request.method)
    except XRefusal:
        if rule is not None and rule.when == "after":
            faults.give_back(world, rule)
        raise
    line.committed = next(iter(call.committed), None)
    spoiled = faults.strike(world, rule, "after", line, connection)
    return Response(text, status, headers, content_type=_JSON) if spoiled is None else spoiled.answer(text.encode())


def _run(world: World, endpoint: Route, call: Call, method: str) -> tuple[int, str, dict[str, str]]:
    with world.lock:
        headers = limits.spend(world, call.caller, endpoint.name, call.now_ms)
        if method != "GET" and not (world.assumptions.rate_headers_on_posts or endpoint.is_v2):
            headers = {}
        result = endpoint.handler(call)
    status, shown = result if isinstance(result, tuple) else (200, result)
    headers |= {"x-access-level": "read-write-directmessages", "x-transaction": secrets.token_hex(8)}
    return status, json.dumps(shown, separators=(",", ":")), headers


def _read(world: World, endpoint: Route, request: FlaskRequest, path_id: str | None, body: bytes, now_ms: int) -> Call:
    text = body.decode("utf-8", "replace")
    is_form = request.mimetype == _FORM
    query = request.query_string.decode("latin-1")
    caller = _caller(world, endpoint, request, query, text if is_form else None)
    if world.assumptions.shut_down:
        raise XRefusal(410, 251)
    if (caller in world.accounts) == endpoint.as_customer:
        raise XRefusal(403, 220)
    return Call(
        world=world,
        caller=caller,
        now_ms=now_ms,
        query=dict(parse_qsl(query, keep_blank_values=True, errors="replace")),
        form=dict(parse_qsl(text, keep_blank_values=True, errors="replace")) if is_form else {},
        json=_parsed(world, text) if request.mimetype == "application/json" else None,
        path_id=path_id,
    )


def _caller(world: World, endpoint: Route, request: FlaskRequest, query: str, form: str | None) -> str:
    customer = request.headers.get(CUSTOMER_HEADER)
    if endpoint.as_customer and customer is not None and is_loopback(request.remote_addr):
        return customer
    authorization = request.headers.get("authorization") or ""
    if endpoint.is_v2 and authorization.startswith("Bearer "):
        return oauth2_tokens.user_of(world, authorization.removeprefix("Bearer "), world.clock.now_ms())
    given = oauth.read_header(authorization)
    oauth.check_time(given, _oauth_s(world), world.assumptions.oauth_tolerance_s)
    secret = world.consumers.get(given["oauth_consumer_key"])
    if secret is None:
        raise XRefusal(401, 32)
    caller, token_secret = _token(world, given["oauth_token"], given["oauth_consumer_key"])
    signed = oauth.SignatureBase(request.method, _url(request), query, form)
    oauth.check_signature(given, signed, (secret, token_secret))
    if "oauth_body_hash" in given and world.assumptions.oauth_body_hash == "refuse":
        raise XRefusal(401, 32)
    fresh = world.nonces.spend(
        given["oauth_token"], given["oauth_nonce"], int(given["oauth_timestamp"]), _oauth_s(world)
    )
    if not fresh:
        raise XRefusal(401, 32)
    return caller


def _token(world: World, token: str, consumer_key: str) -> tuple[str, str]:
    account = world.by_token.get(token)
    if account is not None and account.consumer_key == consumer_key:
        return account.user_id, account.token_secret
    user_id = token.removesuffix("-customer")
    if user_id != token and user_id in world.people and user_id not in world.accounts:
        return user_id, customer_token(user_id)[1]
    raise XRefusal(401, 89)


def customer_token(user_id: str) -> tuple[str, str]:
    """A customer's own OAuth token and secret; they open nothing but a sandbox."""
    return f"{user_id}-customer", f"secret-of-{user_id}"


def _url(request: FlaskRequest) -> str:
    environ = request.environ
    scheme, host = request.scheme.lower(), str(environ.get("HTTP_HOST", request.host)).lower()
    host = host.removesuffix({"http": ":80", "https": ":443"}.get(scheme, ":"))
    return f"{scheme}://{host}{environ.get('SCRIPT_NAME', '')}{environ['PATH_INFO']}"


def _recipient(call: Call) -> str | None:
    """Whom a call is about, as far as a fault rule wants to know; the endpoint reads it again and strictly."""
    for name in ("to_user_id", "target_id", "user_id"):
        if name in call.params:
            return call.params[name]
    try:
        return str(call.json["event"]["message_create"]["target"]["recipient_id"])
    except (KeyError, TypeError):
        return None


def _parsed(world: World, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        status, code = world.assumptions.invalid_param.split("/")
        raise XRefusal(int(status), int(code), "The body is not JSON.") from None


def _json(status: int, body: object, headers: dict[str, str]) -> Response:
    return Response(json.dumps(body), status, headers, content_type=_JSON)


def _oauth_s(world: World) -> float:
    """The time OAuth timestamps are judged by: the real one, unless a test moves both clocks together."""
    return world.clock.now_ms() / 1000 if world.assumptions.oauth_clock == "sandbox" else world.clock.wall_s()
