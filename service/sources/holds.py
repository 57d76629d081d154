"""How a source's API stands, as the row that can stop every worker from asking it.

A hold lasts until a person releases it: the CRM refuses our credentials, and would refuse every further call. A pause
ends by itself. Deliveries are accepted all the same, and their conversations wait.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection

from service.db import insert_missing
from service.db.leases import beyond, is_over
from service.models import source_state

LONGEST_PAUSE = timedelta(days=1)
MINUTE = timedelta(minutes=1)
log = structlog.get_logger(__name__)
ss = source_state.c


@dataclass(frozen=True, slots=True)
class SourceStanding:
    """One source's API, as workers and operators see it."""

    source: str
    hold_reason: str | None = None
    held_at: datetime | None = None
    paused_until: datetime | None = None
    away_since: datetime | None = None

    def rests(self, now: datetime) -> bool:
        """Whether it must not be asked now. A pause longer than any we set is from a clock since set back, and over."""
        paused = self.paused_until is not None and now < self.paused_until <= beyond(now, LONGEST_PAUSE)
        return self.hold_reason is not None or paused


SELECT = sa.select(ss.source, ss.hold_reason, ss.held_at, ss.paused_until, ss.away_since)


def enrol(connection: Connection, sources: Iterable[str], now: datetime) -> None:
    """Make sure every source that can be asked has its row."""
    insert_missing(connection, source_state, [{"source": each, "used": 0, "updated_at": now} for each in sources])


def standings(connection: Connection) -> dict[str, SourceStanding]:
    """Return how each source stands that can be asked."""
    return {row.source: SourceStanding(*row) for row in connection.execute(SELECT.order_by(ss.source))}


def rests(connection: Connection, source: str, now: datetime) -> bool:
    """Whether it must not be asked now, without locking it: asked each second for as long as a person takes."""
    return _standing(connection, SELECT, source).rests(now)


def lock(connection: Connection, source: str) -> SourceStanding:
    """Make transactions about one source run one after the other, and say how it stands."""
    return _standing(connection, SELECT.with_for_update(), source)


def spend(connection: Connection, source: str, calls: int, per_minute: int, now: datetime) -> bool:
    """Count calls about to be made; False: this minute has no room for them. Needs the lock."""
    row = connection.execute(sa.select(ss.used, ss.window_until).where(ss.source == source)).one()
    open_window = row.window_until is not None and now < row.window_until <= beyond(now, MINUTE)
    used = (row.used if open_window else 0) + calls
    if open_window and used > per_minute:
        return False
    _write(connection, source, now, used=used, window_until=row.window_until if open_window else now + MINUTE)
    return True


def hold(connection: Connection, source: str, reason: str, now: datetime) -> None:
    """Ask no more until a person releases the source."""
    free = sa.update(source_state).where(ss.source == source, ss.hold_reason.is_(None))
    if connection.execute(free.values(hold_reason=reason, held_at=now, updated_at=now)).rowcount:
        log.error("source_held", source=source, reason=reason)


def release(connection: Connection, source: str, now: datetime) -> bool:
    """Let the source be asked again. Return whether it was held or paused."""
    # also a pause too far away to count: it would, once its time comes near
    held = sa.update(source_state).where(ss.source == source, ss.hold_reason.is_not(None) | (ss.paused_until > now))
    free = {"hold_reason": None, "held_at": None, "paused_until": None, "updated_at": now}
    return connection.execute(held.values(free)).rowcount == 1


def pause(connection: Connection, source: str, until: datetime, now: datetime) -> None:
    """Ask no more until then; a longer pause stands."""
    shorter = is_over(ss.paused_until, now, LONGEST_PAUSE) | (ss.paused_until < until)
    mine = sa.update(source_state).where(ss.source == source, shorter)
    if connection.execute(mine.values(paused_until=until, updated_at=now)).rowcount == 1:
        log.warning("source_paused", source=source, until=until.isoformat())


def went_away(connection: Connection, source: str, now: datetime) -> None:
    """It did not answer properly; the first such moment stands."""
    first = sa.update(source_state).where(ss.source == source, ss.away_since.is_(None))
    connection.execute(first.values(away_since=now, updated_at=now))


def answered(connection: Connection, standing: SourceStanding, now: datetime) -> None:
    """It answered."""
    if standing.away_since is not None:
        _write(connection, standing.source, now, away_since=None)
        log.info("source_answers_again", source=standing.source)


def _standing(connection: Connection, asked: sa.Select[*tuple[Any, ...]], source: str) -> SourceStanding:
    row = connection.execute(asked.where(ss.source == source)).one_or_none()
    return SourceStanding(source) if row is None else SourceStanding(*row)


def _write(connection: Connection, source: str, now: datetime, **values: object) -> None:
    connection.execute(sa.update(source_state).where(ss.source == source).values(**values, updated_at=now))
