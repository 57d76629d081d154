"""The two databases as things that fail: a PostgreSQL that crashes and comes back, an SQLite that is held busy."""

import time
from pathlib import Path
from typing import Protocol

from sqlalchemy.engine import make_url

from service import migrations
from service.db import open_engine
from tests import postgres_wheel
from tests.postgresql import patiently, start
from tests.processes.children import NURSERY
from tests.processes.hold import hold


class Database(Protocol):
    """A migrated database, and how to take it away for a while."""

    url: str
    outage: str

    def away(self, seconds: float) -> None: ...

    def close(self) -> None: ...


class Sqlite:
    """A file whose write lock another process takes and keeps."""

    outage = "SQLite held busy by another process"

    def __init__(self, directory: Path) -> None:
        self.url = f"sqlite:///{directory / 'dm-feedback.db'}"
        _migrate(self.url)

    def away(self, seconds: float) -> None:
        holder = NURSERY.Process(target=hold, args=(self.url, seconds))
        holder.start()
        holder.join(seconds + 30)
        holder.kill()

    def close(self) -> None:
        """The file goes with its folder."""


class Postgres:
    """A cluster of our own, from the wheel's binaries, stopped as a crash stops it."""

    outage = "PostgreSQL crashed and restarted"

    def __init__(self, directory: Path) -> None:
        # a place of its own for each of many reader threads
        self._server = start(str(directory / "pg"), {"max_connections": "200"})
        self.url = make_url(self._server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(False)
        _migrate(self.url)

    def away(self, seconds: float) -> None:
        self._ctl("stop", "-m", "immediate")
        time.sleep(seconds)
        patiently(self._server.ensure_postgres_running)

    def close(self) -> None:
        self._server.cleanup()

    def _ctl(self, *words: str) -> None:
        server = self._server
        pgexec = postgres_wheel.module(".pgexec").pgexec
        pgexec("pg_ctl", ("-w", "-D", str(server.pgdata), *words), bin_path=server.bin_path, user=server.system_user)


def open_database(kind: str, directory: Path) -> Database:
    return Sqlite(directory) if kind == "sqlite" else Postgres(directory)


def _migrate(url: str) -> None:
    engine = open_engine(url)
    migrations.upgrade(engine)
    engine.dispose()
