"""X's account webhook, /webhooks/x: answers the challenge, and 200 once what matters is committed.

An app has one webhook, so one address serves every account: the signature says which app pushes, the body which account
it is about. Never repeats, stores or logs what a customer wrote. A signed body that cannot be read is answered 200, or
X would send it for ever.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import structlog
from flask import Blueprint, request
from sqlalchemy.engine import Engine

from service.auth import declares
from service.clock import Clock
from service.db import writing
from service.errors import NotAuthenticated, NotFound
from service.results import bodies, replies
from service.settings import Account, Settings
from service.web.bounds import takes
from service.x_api import DirectMessage, ParseProblem
from service.x_api.activity import parse_activity
from service.x_api.bodies import parsed
from service.x_api.webhook import SIGNATURE_HEADER, crc_response, verify_signature

AT_ONCE = 100
log = structlog.get_logger(__name__)


def blueprint(settings: Settings, engine: Engine, clock: Clock) -> Blueprint:
    """The two views of the one address."""
    secrets = tuple(dict.fromkeys(account.consumer_secret for account in settings.accounts.values()))
    views = Blueprint("x_activity", __name__)

    limit = settings.web.max_body_bytes

    @views.post("/webhooks/x")
    @declares("X: the app's signature over the raw body")
    @takes(limit, reads_itself=True)
    def receive() -> tuple[dict[str, Any], int]:
        raw = bodies.read(request, limit)
        secret = _signer(secrets, bodies.signable(request, raw, limit), request.headers.get(SIGNATURE_HEADER))
        theirs = [each for each in settings.accounts.values() if each.consumer_secret == secret]
        return {"received": _take_in(engine, settings, theirs, bodies.plain(request, raw, limit), clock())}, 200

    @views.get("/webhooks/x")
    @declares("nobody: X's challenge, answered with a proof")
    def answer_challenge() -> tuple[dict[str, Any], int]:
        token = bodies.crc_token(request)
        return {"response_token": crc_response(_asked(settings.accounts, request.args.get("app")), token)}, 200

    return views


def _signer(secrets: tuple[str, ...], signable: Iterator[bytes], header: str | None) -> str:
    """The secret of the app that pushes. All are tried, so that timing reveals nothing."""
    for each in signable:
        fitting = [secret for secret in secrets if verify_signature(secret, each, header)]
        if fitting:
            return fitting[0]
    log.warning("x_activity_refused", reason="signature")
    raise NotAuthenticated("wrong_signature", f"{SIGNATURE_HEADER} does not sign this body.")


def _asked(accounts: Mapping[str, Account], app: str | None) -> str:
    """The secret of the app that asks. X does not say which; with several apps, the registered address does.

    It names an account of the app: web does not hold the apps' keys.
    """
    secrets = {name: each.consumer_secret for name, each in accounts.items()}
    if app is None and len(set(secrets.values())) == 1:
        return next(iter(secrets.values()))
    secret = None if app is None else secrets.get(app)
    if secret is None:
        sentence = (
            "Several apps share this address: register it as /webhooks/x?app=ACCOUNT, with an account of the app."
        )
        raise NotFound("unknown_app", sentence)
    return secret


def _take_in(engine: Engine, settings: Settings, accounts: list[Account], raw: bytes, now: datetime) -> int:
    try:
        activity = parse_activity(parsed(raw))
    except (ValueError, RecursionError) as problem:
        field = problem.field if isinstance(problem, ParseProblem) else "body"
        log.warning("x_activity_unreadable", field=field, bytes=len(raw))
        return 0
    account = next((each for each in accounts if each.user_id == activity.user_id), None)
    if account is None:
        return 0
    for each in activity.problems:
        log.warning("x_activity_unreadable", account=account.name, field=each.field)
    return _commit(engine, settings, account, activity.messages, now)


def _commit(
    engine: Engine, settings: Settings, account: Account, messages: tuple[DirectMessage, ...], now: datetime
) -> int:
    """Oldest first: of several numbers the first one typed is the answer. Some per commit, so that others can write."""
    inbound = sorted(
        (each for each in messages if each.sender_id != account.user_id), key=lambda each: each.created_at or now
    )
    if not inbound:
        return 0
    verdicts = []
    for begin in range(0, len(inbound), AT_ONCE):
        with bodies.sent_again_while_away("x_activity_not_stored", account.name), writing(engine) as connection:
            some = inbound[begin : begin + AT_ONCE]
            verdicts += [replies.take(connection, settings, account, each, now) for each in some]
    answers = [str(each) for each in verdicts if each is not None]
    log.info("x_activity_received", account=account.name, messages=len(inbound), answers=answers)
    return len(answers)
