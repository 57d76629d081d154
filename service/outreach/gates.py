"""Reasons not to write, now or at all: None, a Postpone or a Stop. Pure.

Asked in the transaction that commits the intent, so no fact can change between question and decision. The order is that
of the reasons in the ledger: what a person would name first comes first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from service.requests.outcomes import Postpone, Stop
from service.states import Skip, State

DAILY_LIMIT, CONFIRMING = "daily_limit", "confirming"
WAITED_FOR: Mapping[str | None, Skip] = {DAILY_LIMIT: Skip.QUOTA, CONFIRMING: Skip.NOT_CONFIRMED}
"""Why a request that became stale was not sent, by what it waited for."""


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What the database says around a request at this moment."""

    reopened: bool
    opted_out: bool
    asked_since: datetime | None  # the newest send to the same customer by another request, within the cool-down
    unclear_since: datetime | None  # a send of this very request whose outcome nobody knows yet
    feedback_id: str | None  # X has told us of the card of this very request
    answered: bool  # by a button or a link of this very request


def closed(reason: str | None, stale_at: datetime | None, facts: RequestFacts, now: datetime) -> Stop | None:
    """Return why this request must never be sent. For requests of which nothing has been sent."""
    if facts.reopened:
        return Stop(State.SKIPPED, Skip.REOPENED)
    if facts.opted_out:
        return Stop(State.SKIPPED, Skip.OPTED_OUT)
    if stale_at is not None and now >= stale_at:
        return Stop(State.SKIPPED, WAITED_FOR.get(reason, Skip.STALE))
    if facts.asked_since is not None:
        return Stop(State.SKIPPED, Skip.COOLDOWN, f"last asked {facts.asked_since:%Y-%m-%dT%H:%M:%SZ}")
    return None


def quiet(hours: tuple[time, time] | None, zone: ZoneInfo, now: datetime) -> Postpone | None:
    """Wait for the end of the account's quiet hours, in its own time zone."""
    if hours is None:
        return None
    start, end = hours
    local = now.astimezone(zone)
    clock = local.time().replace(tzinfo=None)
    inside = start <= clock < end if start < end else clock >= start or clock < end
    if not inside:
        return None
    day = local.date() + timedelta(days=1 if start > end and clock >= start else 0)
    until = datetime.combine(day, end, zone)
    if until <= now:  # the hour that comes twice in autumn: the quiet ends with its second run
        until = until.replace(fold=1)
    return Postpone(until.astimezone(now.tzinfo), "quiet_hours")
