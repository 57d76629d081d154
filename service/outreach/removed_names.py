"""Requests whose account, source or campaign has left the settings: they wait, and end when their time is over.

Nothing is asked under a name that is gone. But another machine may still have older settings, so nothing ends early:
until then the name may come back. If the account is gone nobody claims its requests; the worker's housekeeping ends
them (`end_overdue`), unless the account has moved to another database.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.engine import Engine

from service.accounts import moving
from service.db import reading, writing
from service.db.batch_deletion import never
from service.outreach.context import Workplace
from service.requests import sends
from service.requests.outcomes import Postpone, Stop
from service.requests.queries import locked, open_names, overdue_elsewhere
from service.requests.request import Request
from service.requests.writer import write
from service.settings import Settings
from service.states import OPENED_STATES, Failure, Skip, State

log = structlog.get_logger(__name__)
LOOK_AGAIN = timedelta(minutes=10)
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class WithdrawnName:
    """A name used by open requests that the settings do not have; `kind` is its section."""

    kind: str
    name: str
    waiting: int

    @property
    def sentence(self) -> str:
        """What it means, and what would be right."""
        return (
            f"[{self.kind}.{self.name}] is not in the settings, and {self.waiting} open requests are of it: they are "
            "not asked about, and end as 'withdrawn' when they are stale. Put it back if it should go on."
        )


def gone_names(engine: Engine, settings: Settings) -> list[WithdrawnName]:
    """Name every account, source and campaign of open requests that the settings do not have."""
    with reading(engine) as connection:
        found = open_names(connection, moving.moved(connection))
    have = {
        "accounts": set(settings.accounts),
        "sources": set(settings.sources),
        "campaigns": {each.name for each in settings.campaigns},
    }
    return [WithdrawnName(kind, name, n) for kind, name, n in found if name not in have[kind]]


def withheld(settings: Settings, request: Request, now: datetime) -> Postpone | Stop | None:
    """Hold back a request whose source or campaign is gone, and end it when it is stale."""
    gone = _gone(settings, request)
    if gone is None:
        return None
    over = _over(settings, request)
    return Postpone(min(over, now + LOOK_AGAIN), "withdrawn", gone) if now < over else _end(request, gone)


def end_overdue(place: Workplace, now: datetime, stop: Callable[[], bool] = never) -> int:
    """End the stale requests of accounts that are gone; return how many ended."""
    ended = 0
    while not stop() and (some := _end_some(place, now)):
        ended += some
    return ended


def _end_some(place: Workplace, now: datetime) -> int:
    settings, ended = place.settings, 0
    with reading(place.engine) as connection:
        before = now - settings.worker.give_up_after
        others = [*settings.accounts, *moving.moved(connection)]
        found = overdue_elsewhere(connection, others, before, now, settings.worker.lease, AT_ONCE)
    for request_id in found:
        with writing(place.engine) as connection:
            request = locked(connection, request_id)
            if request is None or not request.is_open or now < _over(settings, request):
                continue
            end = _end(request, f"accounts.{request.account}")
            write(connection, request, sends.unless_unclear(connection, request_id, end), now, place.writer)
            ended += 1
    return ended


def warn_of(engine: Engine, settings: Settings) -> None:
    """Say at a start what has left."""
    for each in gone_names(engine, settings):
        log.warning("left_the_settings", kind=each.kind, name=each.name, waiting=each.waiting)


def _gone(settings: Settings, request: Request) -> str | None:
    if request.source not in settings.sources:
        return f"sources.{request.source}"
    known = {each.name for each in settings.campaigns}
    return f"campaigns.{request.campaign}" if request.campaign is not None and request.campaign not in known else None


def _over(settings: Settings, request: Request) -> datetime:
    return request.stale_at or request.ended_at + settings.worker.give_up_after


def _end(request: Request, gone: str) -> Stop:
    if request.state in OPENED_STATES:  # the customer has our opening: that is no decision of ours not to write
        return Stop(State.FAILED, Failure.NOT_IN_TIME, gone)
    return Stop(State.SKIPPED, Skip.WITHDRAWN, gone)
