"""Reads that may lag a little: asks a replica, or the primary where the replica cannot answer, and says how far behind.

For figures and files only. Anything that decides about sending, checks permissions, or must show what was just written
asks the primary. A replica that is away, too far behind, promoted or of another cluster is skipped without waiting; one
whose process hangs, after three seconds. The lag is measured by the primary's log and clock: a replica that has lost
its connection believes it is up to date.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine

from service.at_rest.columns import share_keys
from service.db import ConnectionWait, begun, open_engine, reading, reading_on, watchdog
from service.db.deadline import is_out_of_time
from service.db.outages import is_away
from service.errors import Unavailable
from service.settings import Database
from service.telemetry.counters import PROCESS_COUNTS

T = TypeVar("T")
Ask = Callable[[Connection], T]
OPTION = "dm_feedback_replica"
REST_S = 10.0  # before trying one again that was away
PLACED_S = 3.0  # to say how far it is; if it takes longer, it hangs
READ_S = 35.0  # a read has its own time limit on the server, 30 s or less
IMPATIENT_S = 2  # to let us in: the primary can answer instead
CONFLICT = "40001"  # PostgreSQL: the rows being read were removed by the primary
FROM_THE_START = "0/0"
WHERE_THE_PRIMARY_IS = sa.text(
    "SELECT pg_current_wal_flush_lsn()::text AS lsn, clock_timestamp() AS now, system_identifier AS cluster "
    "FROM pg_control_system()"
)
WHERE_THE_REPLICA_IS = sa.text(
    "SELECT pg_is_in_recovery() AS follows, system_identifier = :cluster AS ours, "
    "pg_last_wal_replay_lsn()::text AS lsn, pg_last_wal_replay_lsn() >= CAST(:lsn AS pg_lsn) AS level, "
    "pg_last_wal_replay_lsn() >= CAST(:reached AS pg_lsn) AS reached, "
    "CAST(:now AS timestamptz) - pg_last_xact_replay_timestamp() AS behind FROM pg_control_system()"
)
SENTENCES = {
    "away": "does not answer; figures and exports ask database.url until it does",
    "behind": "is further behind than database.read_behind; figures and exports ask database.url until it caught up",
    "no_replica": "is no replica (it takes writes itself); write the address of one, or leave database.read_url out",
    "other_cluster": "is a replica of another cluster than database.url; write the address of one of the same",
    "conflict": "had to give up what was read, as the primary removed it (hot_standby_feedback = on keeps it)",
}
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WithLag(Generic[T]):
    """An answer, and how far behind its database is; None: it is the primary."""

    value: T
    behind: timedelta | None = None


@dataclass(frozen=True, slots=True)
class ReplicaStanding:
    """How a replica stands: how far behind, and why it is not used; `problem` None: it is."""

    behind: timedelta | None
    problem: str | None

    @property
    def sentence(self) -> str | None:
        """What is the matter, and what would be right."""
        return None if self.problem is None else SENTENCES[self.problem]


@dataclass(frozen=True, slots=True)
class ReplicaPosition:
    """How far a replica has come in the primary's log."""

    lsn: str
    behind: timedelta


class NotUsable(Exception):
    """The replica cannot answer now. `why` is a word of SENTENCES."""

    def __init__(self, why: str, behind: timedelta | None = None) -> None:
        super().__init__(why)
        self.why, self.behind = why, behind


class Replica:
    """One replica, beside the primary it follows."""

    def __init__(self, primary: Engine, engine: Engine, most_behind: timedelta) -> None:
        self._primary, self._engine, self._most_behind = primary, engine, most_behind
        self._rests_until = 0.0
        self._said: str | None = None

    def read(self, ask: Ask[T], reached: str = FROM_THE_START) -> tuple[T, ReplicaPosition]:
        """Ask it, if it is recent enough and has reached `reached`. Raises NotUsable."""
        try:
            found = self._read(ask, reached)
        except NotUsable as error:
            self._say(error.why)
            PROCESS_COUNTS.add("replica_reads", error.why)
            raise
        self._say(None)
        PROCESS_COUNTS.add("replica_reads", "read")
        return found

    def standing(self) -> ReplicaStanding:
        """Check how it stands now."""
        self._rests_until = 0.0
        try:
            _, place = self._read(lambda _: None, FROM_THE_START)
        except NotUsable as error:
            return ReplicaStanding(error.behind, error.why)
        return ReplicaStanding(place.behind, None)

    def close(self) -> None:
        """Let its connections go."""
        self._engine.dispose()

    def _read(self, ask: Ask[T], reached: str) -> tuple[T, ReplicaPosition]:
        if time.monotonic() < self._rests_until:
            raise NotUsable("away")
        with reading(self._primary) as primary:
            goal = dict(primary.execute(WHERE_THE_PRIMARY_IS).mappings().one())
        try:
            connection, transaction = begun(self._engine)
            with connection:
                with transaction:  # of its own, so that what is read after it is no older
                    place = self._placed(connection, goal | {"reached": reached})
                watchdog.allow(connection, READ_S)
                with reading_on(connection):
                    return ask(connection), place
        except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
            raise self._given_up(error) from error

    def _placed(self, connection: Connection, goal: Mapping[str, Any]) -> ReplicaPosition:
        """How far it has come."""
        found = connection.execute(WHERE_THE_REPLICA_IS, goal).one()
        if not found.ours:
            raise NotUsable("other_cluster")
        if not found.follows:
            raise NotUsable("no_replica")
        behind = timedelta(0) if found.level else found.behind
        if behind is None or behind > self._most_behind or not found.reached:
            raise NotUsable("behind", behind)
        return ReplicaPosition(found.lsn, max(behind, timedelta(0)))

    def _given_up(self, error: Exception) -> Exception:
        """What to raise for a failure: a time-out stays one, everything else means asking the primary."""
        if is_out_of_time(error):
            return error
        if getattr(getattr(error, "orig", None), "sqlstate", None) == CONFLICT:
            return NotUsable("conflict")
        if is_away(error):
            self._rests_until = time.monotonic() + REST_S
        return NotUsable("away")

    def _say(self, why: str | None) -> None:
        """Log once that its standing has changed."""
        if why != self._said:
            log.warning("replica_not_read", why=SENTENCES[why]) if why else log.info("replica_read")
        self._said = why


@dataclass(frozen=True, slots=True)
class ReadFrom:
    """Where one export reads all its pages, so that what it has seen on one page is still true on the next."""

    engine: Engine
    replica: Replica | None = None
    place: ReplicaPosition | None = None

    @property
    def behind(self) -> timedelta | None:
        """How far behind it was at the start; None for the primary."""
        return None if self.place is None else self.place.behind

    def as_of(self, now: datetime) -> datetime:
        """Return the moment up to which it knew everything at the start."""
        return now - (self.behind or timedelta(0))

    def read(self, ask: Ask[T]) -> T:
        """Ask in a transaction of its own. If the replica fails the primary takes over, which has at least as much."""
        if self.replica is not None and self.place is not None:
            with suppress(NotUsable):
                return self.replica.read(ask, self.place.lsn)[0]
        return of_primary(self.engine, ask)


def attach(engine: Engine, settings: Database) -> Replica | None:
    """Send this engine's reads to the replica in the settings, if there is one. Raises Unavailable."""
    if settings.read_url is None:
        return None
    try:
        other = open_engine(settings.read_url, ConnectionWait(IMPATIENT_S, IMPATIENT_S, PLACED_S))
    except Unavailable as error:
        raise Unavailable(error.code, error.sentence.replace("database.url", "database.read_url")) from error
    replica = Replica(engine, share_keys(engine, other), settings.read_behind)
    engine.update_execution_options(**{OPTION: replica})
    return replica


def replica_of(engine: Engine) -> Replica | None:
    """Return the replica that stands beside this engine."""
    found: Replica | None = engine.get_execution_options().get(OPTION)
    return found


def read(engine: Engine, ask: Ask[T]) -> WithLag[T]:
    """Ask the replica, or the primary if no replica can answer."""
    replica = replica_of(engine)
    if replica is not None:
        with suppress(NotUsable):
            value, place = replica.read(ask)
            return WithLag(value, place.behind)
    return WithLag(of_primary(engine, ask))


def source_of(engine: Engine) -> ReadFrom:
    """Choose where a long reading goes."""
    replica = replica_of(engine)
    if replica is not None:
        with suppress(NotUsable):
            _, place = replica.read(lambda _: None)
            return ReadFrom(engine, replica, place)
    return ReadFrom(engine)


def standing(engine: Engine) -> ReplicaStanding | None:
    """Check how the replica stands; None if there is none."""
    replica = replica_of(engine)
    return None if replica is None else replica.standing()


def of_primary(engine: Engine, ask: Ask[T]) -> T:
    """Ask the primary: how it stands now, not a moment ago."""
    with reading(engine) as connection:
        return ask(connection)
