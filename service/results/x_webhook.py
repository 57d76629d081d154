"""X's feedback webhook, POST /webhooks/x/<account>: answers 200 once its news are committed.

Basic auth if it is set up, X's signature if the settings demand it, an allow-list of networks if there is one. An
authenticated body that cannot be read, or is not about a card of ours, is answered 200 too: X would send it for ever,
and polling reads it once more. Never repeats or logs what a customer gave.

An app has one address at X, which may bring cards of all its accounts: each is accepted for the account it names, if
that account demands no more proof than the one whose address it is.

GET answers X's challenge (CRC). It is public and only proves that we hold the secret; a token that could be the body of
a webhook is refused, because the answer would be that body's valid signature.
"""

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from flask import Blueprint, Request, request
from sqlalchemy.engine import Connection, Engine

from service.accounts import task_leases
from service.auth import declares
from service.clock import Clock
from service.db import reading, writing
from service.errors import NotAllowed, NotAuthenticated, NotFound
from service.network.addresses import Network, is_inside, networks
from service.results import bodies
from service.results.card import fresh, take_in
from service.results.status import SEEN_EVERY, WEBHOOK
from service.settings import Account, Settings
from service.web.bounds import takes
from service.x_api.bodies import parsed
from service.x_api.cards import parse_feedback_event
from service.x_api.facts import Feedback, ParseProblem
from service.x_api.webhook import SIGNATURE_HEADER, crc_response, verify_signature

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Entrance:
    account: Account
    networks: tuple[Network, ...]
    by_id: Mapping[str, Account]  # every account, by its X id

    def whose(self, card: Feedback) -> Account:
        """The account a card was sent by, as far as the card says, and may tell of it at this address."""
        sender = self.by_id.get(card.from_user_id or "", self.account)
        return sender if _may_come_here(sender, self.account) else self.account


def blueprint(settings: Settings, engine: Engine, clock: Clock) -> Blueprint:
    """The two views."""
    by_id = {each.user_id: each for each in settings.accounts.values()}
    doors = {name: _Entrance(each, networks(each.webhook_networks), by_id) for name, each in settings.accounts.items()}
    views = Blueprint("x_webhook", __name__)

    limit = settings.web.max_body_bytes

    @views.post("/webhooks/x/<account>")
    @declares("X: Basic auth, or its signature")
    @takes(limit, reads_itself=True)
    def receive(account: str) -> tuple[dict[str, Any], int]:
        door = _door(doors, account)
        _check_network(door, request.remote_addr)
        _check_password(door.account, request)
        raw = bodies.read(request, limit)
        _check_signature(door.account, bodies.signable(request, raw, limit), request.headers.get(SIGNATURE_HEADER))
        return {"received": _take_in(engine, door, bodies.plain(request, raw, limit), clock())}, 200

    @views.get("/webhooks/x/<account>")
    @declares("nobody: X's challenge, answered with a proof")
    def answer_challenge(account: str) -> tuple[dict[str, Any], int]:
        door = _door(doors, account)
        _check_network(door, request.remote_addr)
        token = bodies.crc_token(request)
        return {"response_token": crc_response(door.account.consumer_secret, token)}, 200

    return views


def _may_come_here(sender: Account, account: Account) -> bool:
    """Whether cards of one account may come to the address of another: X's app is theirs both."""
    same = sender.consumer_secret == account.consumer_secret
    return same and (account.webhook_signature or not _asks_for_more(sender, account))


def _asks_for_more(one: Account, other: Account) -> bool:
    """Whether one account demands a proof that the other does not."""
    password = (one.webhook_user, one.webhook_password)
    others = (other.webhook_user, other.webhook_password)
    known_from_elsewhere = one.webhook_networks and one.webhook_networks != other.webhook_networks
    return bool(one.webhook_signature or known_from_elsewhere or (_has_password(one) and password != others))


def _door(doors: Mapping[str, _Entrance], name: str) -> _Entrance:
    door = doors.get(name)
    if door is None or not (door.account.webhook_signature or _has_password(door.account)):
        raise NotFound("no_such_webhook", "There is no such account here, or its webhook is not set up.")
    return door


def _has_password(account: Account) -> bool:
    return bool(account.webhook_user and account.webhook_password)


def _check_network(door: _Entrance, address: str | None) -> None:
    if door.networks and not is_inside(door.networks, address):
        log.warning("x_webhook_refused", account=door.account.name, reason="network")
        raise NotAllowed("network_not_allowed", "This address is not on the list of X's networks.")


def _check_password(account: Account, given: Request) -> None:
    if not account.webhook_user and not account.webhook_password:
        return
    user, password = account.webhook_user or "", account.webhook_password or ""
    login = given.authorization if given.authorization and given.authorization.type == "basic" else None
    # Both are always compared, so that timing reveals nothing about either.
    right = _same(login.username if login else None, user) & _same(login.password if login else None, password)
    if not (right and user and password):
        log.warning("x_webhook_refused", account=account.name, reason="password")
        challenge = {"WWW-Authenticate": 'Basic realm="feedback webhook", charset="UTF-8"'}
        raise NotAuthenticated("wrong_password", "The user or the password is wrong.", headers=challenge)


def _same(given: str | None, wanted: str) -> bool:
    return hmac.compare_digest((given or "").encode("utf-8", "replace"), wanted.encode())


def _check_signature(account: Account, signable: Iterator[bytes], header: str | None) -> None:
    if not account.webhook_signature:
        return
    if not any(verify_signature(account.consumer_secret, each, header) for each in signable):
        log.warning("x_webhook_refused", account=account.name, reason="signature")
        raise NotAuthenticated("wrong_signature", f"{SIGNATURE_HEADER} does not sign this body.")


def _take_in(engine: Engine, door: _Entrance, raw: bytes, now: datetime) -> int:
    feedbacks = list(_feedbacks(door.account, raw))
    accounts = {door.account.name: door.account} | {(it := door.whose(each)).name: it for each in feedbacks}
    for account in accounts.values():
        _store(engine, account, [each for each in feedbacks if door.whose(each) is account], now)
    return len(feedbacks)


def _store(engine: Engine, account: Account, feedbacks: list[Feedback], now: datetime) -> None:
    with bodies.sent_again_while_away("x_webhook_not_stored", account.name):
        verdicts = _commit(engine, account, feedbacks, now)
    if feedbacks:
        log.info("x_webhook_received", account=account.name, cards=len(feedbacks), news=verdicts)


def _commit(engine: Engine, account: Account, feedbacks: list[Feedback], now: datetime) -> list[str]:
    """Store what is new; a flood of repeats writes at most once a minute, that the webhook is alive."""
    with reading(engine) as connection:
        news = fresh(connection, feedbacks)
        marked = not _seen_lately(connection, account, now)
    if not news and not marked:
        return []
    with writing(engine) as connection:
        if marked:
            task_leases.set_moment(connection, account.name, WEBHOOK, now)
        return [str(verdict) for verdict in take_in(connection, account, news, "webhook", now)]


def _seen_lately(connection: Connection, account: Account, now: datetime) -> bool:
    seen = task_leases.moment(connection, account.name, WEBHOOK)
    return seen is not None and now - SEEN_EVERY < seen <= now


def _feedbacks(account: Account, raw: bytes) -> Iterator[Feedback]:
    """Every card in the body: one event, a list of them, or `{"events": [...]}`."""
    for item in _items(account, raw):
        try:
            yield parse_feedback_event(item)
        except ParseProblem as problem:
            log.warning("x_webhook_unreadable", account=account.name, field=problem.field)


def _items(account: Account, raw: bytes) -> list[Any]:
    try:
        said = parsed(raw)
    except (ValueError, RecursionError):
        log.warning("x_webhook_unreadable", account=account.name, field="body", bytes=len(raw))
        return []
    if isinstance(said, dict) and isinstance(said.get("events"), list):
        said = said["events"]
    return said if isinstance(said, list) else [said]
