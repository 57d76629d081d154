"""OAuth 2.0 at the sandbox: consent, a code, tokens that expire, refresh tokens that work once.

Errors are those of RFC 6749. Everybody consents at once: the sandbox has nobody to ask.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from service.sandbox import faults, schedule
from service.sandbox.state import Exchange, Rule, World
from service.sandbox.writing import XRefusal

LIFE_S = 7200
TOKEN = "oauth2/token"  # noqa: S105 - an endpoint's name


def blueprint(world: World) -> Blueprint:
    """The page that asks for consent, and the token endpoint."""
    routes = Blueprint("sign_in", __name__)

    @routes.get("/i/oauth2/authorize")
    def authorize() -> AnyResponse:
        asked = request.args
        account = next((one for one in world.accounts.values() if one.client_id == asked.get("client_id", "")), None)
        if account is None or asked.get("code_challenge_method") != "S256" or "redirect_uri" not in asked:
            return _said(400, {"error": "invalid_request"})
        code = secrets.token_urlsafe(16)
        with world.lock:
            world.sign_ins.codes[code] = (account.user_id, asked.get("code_challenge", ""), asked["redirect_uri"])
        return redirect(f"{asked['redirect_uri']}?{urlencode({'state': asked.get('state', ''), 'code': code})}")

    @routes.post("/2/oauth2/token")
    def token() -> Response:
        return _token(world)

    return routes


def user_of(world: World, access_token: str, now_ms: int) -> str:
    """Whose access token this is; 401 where it has ended or never was."""
    user_id, until_ms = world.sign_ins.access.get(access_token, ("", 0))
    if until_ms <= now_ms:
        raise XRefusal(401, 89)
    return user_id


def _token(world: World) -> Response:
    form = dict(parse_qsl(request.get_data().decode("utf-8", "replace")))
    with world.lock:
        now_ms = schedule.settle(world)
        line = Exchange(id=world.next_number(), at_ms=now_ms, endpoint=TOKEN, method="POST")
        world.requests.append(line)
        rule = faults.draw(world, TOKEN, None, None)
    try:
        answer = _answer(world, form, rule, line)
    except XRefusal as error:
        answer = _said(error.status, {"error": "temporarily_unavailable"})
    line.status = answer.status_code
    return answer


def _answer(world: World, form: Mapping[str, str], rule: Rule | None, line: Exchange) -> Response:
    connection = request.environ.get("werkzeug.socket")
    spoiled = faults.strike(world, rule, "before", line, connection)
    if spoiled is not None:
        return spoiled.answer(b"")
    with world.lock:
        answer = _said(*_grant(world, form, line.at_ms))
    spoiled = faults.strike(world, rule, "after", line, connection)
    return answer if spoiled is None else spoiled.answer(answer.get_data())


def _grant(world: World, form: Mapping[str, str], now_ms: int) -> tuple[int, dict[str, object]]:
    account = next((one for one in world.accounts.values() if one.client_id == form.get("client_id", "")), None)
    if account is None:
        return 401, {"error": "unauthorized_client", "error_description": "Missing valid authorization header"}
    if account.client_secret is not None and not _knows_secret(account.client_id or "", account.client_secret):
        return 401, {"error": "unauthorized_client", "error_description": "Missing valid authorization header"}
    user_id = _consented(world, form) if form.get("grant_type") == "authorization_code" else _refreshed(world, form)
    if user_id is None:
        return 400, {"error": "invalid_request", "error_description": "Value passed for the token was invalid."}
    access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    world.sign_ins.access[access] = (user_id, now_ms + LIFE_S * 1000)
    world.sign_ins.refresh[refresh] = user_id
    return 200, {
        "token_type": "bearer", "expires_in": LIFE_S, "access_token": access, "refresh_token": refresh,
        "scope": "tweet.read users.read dm.read dm.write offline.access",
    }  # fmt: skip


def _knows_secret(client_id: str, client_secret: str) -> bool:
    given = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
    return request.headers.get("Authorization") == f"Basic {given}"


def _consented(world: World, form: Mapping[str, str]) -> str | None:
    user_id, challenge, back_to = world.sign_ins.codes.pop(form.get("code", ""), (None, "", ""))
    digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
    shown = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return user_id if (shown, form.get("redirect_uri")) == (challenge, back_to) else None


def _refreshed(world: World, form: Mapping[str, str]) -> str | None:
    return world.sign_ins.refresh.pop(form.get("refresh_token", ""), None)


def _said(status: int, body: Mapping[str, object]) -> Response:
    return Response(json.dumps(body), status, content_type="application/json;charset=UTF-8")
