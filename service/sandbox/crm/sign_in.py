"""Who may ask a CRM: whoever brings what the vendor's documentation demands.

Every vendor accepts one key (`people.KEY`), each in its own place; client credentials are exchanged for tokens, which a
fault may make the CRM forget early.
"""

import base64
import binascii
import secrets
from collections.abc import Callable

from flask import Request

from service.sandbox.crm.people import KEY, Crms

SignIn = Callable[[Request, Crms], bool]
LIFE_S = 7200


def bearer(request: Request, _crms: Crms) -> bool:
    """`Authorization: Bearer KEY`."""
    return request.headers.get("Authorization") == f"Bearer {KEY}"


def basic(request: Request, _crms: Crms) -> bool:
    """A user, and the key as the password."""
    user, password = _pair(request)
    return bool(user) and password == KEY


def basic_key_as_user(request: Request, _crms: Crms) -> bool:
    """The key as the user, and any password."""
    return _pair(request)[0] == KEY


def zendesk(request: Request, crms: Crms) -> bool:
    """A token for an OAuth client; or, made before October 2026, `NAME@HOST/token` and an API token as the password."""
    user, password = _pair(request)
    return (user.endswith("/token") and password == KEY) or client_credentials(request, crms)


def chatwoot(request: Request, _crms: Crms) -> bool:
    """A header of its own."""
    return request.headers.get("api_access_token") == KEY


def crisp(request: Request, crms: Crms) -> bool:
    """Basic, and the tier the key is of."""
    return basic(request, crms) and request.headers.get("X-Crisp-Tier") == "plugin"


def client_credentials(request: Request, crms: Crms) -> bool:
    """`Authorization: Bearer TOKEN`, a token that it has not been made to forget."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    return scheme == "Bearer" and given in crms.tokens


def token(request: Request, crms: Crms) -> dict[str, object] | None:
    """Change client credentials for a token; None where they are not right."""
    asked = (request.form.get("grant_type"), request.form.get("client_secret"))
    if asked != ("client_credentials", KEY):
        return None
    made = secrets.token_urlsafe(16)
    with crms.lock:
        crms.tokens.add(made)
    return {"token_type": "bearer", "access_token": made, "expires_in": LIFE_S}


def _pair(request: Request) -> tuple[str, str]:
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    try:
        user, _, password = base64.b64decode(rest).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (user, password) if scheme == "Basic" else ("", "")
