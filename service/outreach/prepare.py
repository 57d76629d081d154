"""What a leased request needs next: in, its row and the facts around it; out, the intent of one X call, or an outcome.

Runs inside the transaction that commits the intent, so the facts cannot change between decision and commitment. Reads
much, writes nothing but the shared allowance of X's endpoints, and never calls X.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from service.models import x_identity
from service.outreach import accounts, budget
from service.outreach.around import look_around
from service.outreach.campaigns import Conversation, choose
from service.outreach.gates import DAILY_LIMIT, Facts, closed, quiet
from service.outreach.machine import UNCLEAR, UNTOLD, Advance, Outcome, Postpone, Stop, Unclear
from service.settings import Account, Settings
from service.states import Skip, State
from service.x_api import allowance
from service.x_api.limits import CARDS_PER_RECIPIENT, LIMITS

IDENTITY_KEPT = timedelta(days=1)  # handles are renamed and re-used: ask again after this
SAME_BREATH = timedelta(minutes=15)  # the card follows its opening into quiet hours for this long, and then waits too
LATE = 1 / 8  # of the time after which a send ends unknown: who comes so much later was not at work
TIME_TO_LOOK = 1 / 4  # of the same


@dataclass(frozen=True, slots=True)
class Intent:
    """The X call to make next; `kind` is `dm` or `card` where it writes to the customer."""

    endpoint: str
    kind: str | None = None


def prepare(
    connection: Connection, settings: Settings, account: Account, row: Row[Any], now: datetime
) -> Intent | Outcome:
    """Return the next intent of a request, or the outcome that needs no call."""
    state = State(row.state)
    if row.campaign is None:
        return _chosen(connection, settings, account, row, now)
    facts = look_around(
        connection, row, asked_after=_asked_after(settings, account, row, now), secret_key=settings.service.secret_key
    )
    stands = _unclear(facts, row, account, now) or _told(facts, row, state, now) or _closed(facts, row, state, now)
    if stands is not None:
        return stands
    match state:
        case State.RECEIVED:
            return _identify(connection, row, account, now)
        case State.IDENTIFIED:
            return _ask(connection, row, account, now)
        case _:
            return _send(connection, row, account, state, now)


def _chosen(connection: Connection, settings: Settings, account: Account, row: Row[Any], now: datetime) -> Outcome:
    conversation = Conversation(
        row.conversation_id, row.source, row.account, row.ended_at, row.team_id, row.tags, row.channel, row.language,
        row.x_handle, row.stale_at,
    )  # fmt: skip
    return choose(
        conversation,
        settings.campaigns,
        account,
        secret_key=settings.service.secret_key,
        expected_per_day=accounts.expected_per_day(connection, account, now),
    )


def _asked_after(settings: Settings, account: Account, row: Row[Any], now: datetime) -> datetime:
    cooldown = next((each.cooldown for each in settings.campaigns if each.name == row.campaign), timedelta(days=7))
    return now - max(cooldown, CARDS_PER_RECIPIENT.window + account.signature_tolerance)


def _unclear(facts: Facts, row: Row[Any], account: Account, now: datetime) -> Outcome | None:
    """A send without an outcome stands: nothing may be sent until X has cleared it up, or it ends `unknown`."""
    if facts.unclear_since is None:
        return None
    until = facts.unclear_since + account.unknown_after
    # Where nobody worked meanwhile, nobody looked: there is time for that first.
    waited = row.reason == UNCLEAR and now - row.scheduled_at < account.unknown_after * LATE
    if now < until or not waited:
        return Unclear(max(until, now + account.unknown_after * TIME_TO_LOOK), facts.unclear_answered, row.detail)
    return Stop(State.UNKNOWN, "unclear_send", UNTOLD)


def _told(facts: Facts, row: Row[Any], state: State, now: datetime) -> Outcome | None:
    """X has told us of this request's card, so it is there, whatever else we believed."""
    if facts.feedback_id is None or state not in {State.DM_ALLOWED, State.DM_SENT}:
        return None
    return Advance(State.CARD_SENT, {"feedback_id": facts.feedback_id, "card_sent_at": row.card_sent_at or now})


def _closed(facts: Facts, row: Row[Any], state: State, now: datetime) -> Stop | None:
    if state is State.DM_SENT:
        # The customer has read our opening: the card follows, unless they do not want to be asked or were since.
        return closed(None, None, replace(facts, reopened=False), now)
    return closed(row.reason, row.stale_at, facts, now)


def _identify(connection: Connection, row: Row[Any], account: Account, now: datetime) -> Intent | Outcome:
    if row.x_user_id is not None:
        return Advance(State.IDENTIFIED)
    if row.x_handle is None:
        return Stop(State.SKIPPED, Skip.NO_X_IDENTITY)
    c = x_identity.c
    known = sa.select(c.x_user_id).where(c.handle == row.x_handle.lower(), c.seen_at > now - IDENTITY_KEPT)
    x_user_id = connection.scalar(known.where(c.seen_at <= now))
    if x_user_id is not None:
        return Advance(State.IDENTIFIED, {"x_user_id": x_user_id})
    return _allowed(connection, account, "show_user", now)


def _ask(connection: Connection, row: Row[Any], account: Account, now: datetime) -> Intent | Outcome:
    if row.can_dm is False:
        return Stop(State.SKIPPED, Skip.CANNOT_DM)
    if row.can_dm or row.can_dm_asked > 1:
        return Advance(State.DM_ALLOWED)
    return _allowed(connection, account, "show_friendship" if row.can_dm_asked else "show_user", now)


def _allowed(connection: Connection, account: Account, endpoint: str, now: datetime) -> Intent | Outcome:
    again = allowance.take(connection, account.name, endpoint, LIMITS[endpoint].calls, account.window, now)
    return Intent(endpoint) if again is None else Postpone(again, "endpoint_limit", endpoint)


def _send(connection: Connection, row: Row[Any], account: Account, state: State, now: datetime) -> Intent | Outcome:
    if state is State.DM_ALLOWED or now - row.dm_sent_at > SAME_BREATH:
        later = quiet(account.quiet_hours, account.time_zone, now)
        if later is not None:
            return later
    kind = "dm" if state is State.DM_ALLOWED and row.opening_text is not None else "card"
    free = budget.free_at(connection, account, kind, now)
    if free is not None:
        return Postpone(free, DAILY_LIMIT)
    return Intent("send_dm" if kind == "dm" else "create_feedback", kind)
