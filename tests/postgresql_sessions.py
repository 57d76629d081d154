"""PostgreSQL sessions that outlive their test and serve the next one.

A new session reads the catalogs, which takes the server longer than most tests run. Only sessions that a test returned
at its end are kept, reset as far as possible; what it closed before stays closed.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import event
from sqlalchemy.engine import Engine

ANEW = (
    "CLOSE ALL; RESET SESSION AUTHORIZATION; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); "
    "DISCARD PLANS; DISCARD TEMP; DISCARD SEQUENCES; SELECT pg_stat_force_next_flush()"
)
"""What DISCARD ALL does, but for prepared statements: of these the driver keeps a list. And tell what was written."""


class Session(psycopg.Connection[Any]):
    """A session that its shelf may take back."""

    shelf: "Shelf | None" = None

    def close(self) -> None:
        """Close it, or return it to the shelf."""
        if self.shelf is None or not self.shelf.lay_back(self):
            super().close()

    def renewed(self) -> bool:
        """Reset it to its initial state; say whether that was possible."""
        with suppress(psycopg.Error):
            self.rollback()
            self.autocommit = True
            self.isolation_level = self.read_only = self.deferrable = None
            self.execute(ANEW)
        return not self.closed and self.info.transaction_status == TransactionStatus.IDLE


OPEN: list[Session] = []
"""Whatever may be open: a thread that outlives its test holds a session that the server has ended, and its end must not
be a warning in somebody else's test."""


class Shelf:
    """The sessions of one database."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[Session]] = {}
        self._takes_back = False

    @contextmanager
    def serving(self, engine: Engine) -> Iterator[Engine]:
        """Have an engine begin with what is here; what it holds at the end is laid back."""
        event.listen(engine, "do_connect", self._begun)
        yield engine
        self._takes_back = True
        engine.dispose()
        self._takes_back = False

    def _begun(self, _dialect: Any, _record: Any, arguments: list[Any], named: dict[str, Any]) -> Session:
        with suppress(IndexError):
            return self._mine.pop()
        session = Session.connect(*arguments, **named)
        session.shelf = self
        OPEN[:] = [*(each for each in OPEN if not each.closed), session]
        return session

    def lay_back(self, session: Session) -> bool:
        """Take a session an engine releases, if its test is over and it can be reset."""
        fit = self._takes_back and session.renewed()
        if fit:
            self._mine.append(session)
        return fit

    @property
    def _mine(self) -> list[Session]:
        """What waits; after a fork nothing, as two processes on one session would read each other's answers."""
        return self._waiting.setdefault(os.getpid(), [])

    @property
    def pids(self) -> list[int]:
        """Whom the server knows them as."""
        return [each.info.backend_pid for each in self._mine]

    def any_of(self) -> Session | None:
        """One of them to look with."""
        return self._mine[0] if self._mine else None

    def close(self) -> None:
        """End all of them."""
        while self._mine:
            psycopg.Connection.close(self._mine.pop())
