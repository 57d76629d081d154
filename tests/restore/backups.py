"""Two databases that are backed up under load, lost and restored: SQLite from copies, PostgreSQL from its WAL."""

import os
import pwd
import shutil
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Protocol

from service import migrations
from service.db import open_engine
from tests.processes.children import until
from tests.processes.postgres import Server, its_user, migrated

CONFIG = Path(__file__).parents[2] / "deploy" / "restore" / "pgbackrest.conf"
DURABLE = {"fsync": "on", "full_page_writes": "on", "archive_mode": "on", "archive_timeout": "10s"}


class Backed(Protocol):
    """A database of ours and what an operator does with it."""

    url: str

    def save(self) -> None: ...

    def moment(self) -> datetime:
        """Note a moment that can be gone back to."""
        ...

    def reaches(self, moment: datetime) -> bool:
        """Whether what is kept elsewhere reaches as far as that moment."""
        ...

    def lose(self) -> None: ...

    def put_back(self, moment: datetime) -> None: ...

    def close(self) -> None: ...


class Sqlite:
    """One file; what can be gone back to are the moments of its copies."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "dm-feedback.db"
        self.url = f"sqlite:///{self._file}"
        self._copies: dict[datetime, Path] = {}
        engine = open_engine(self.url)
        migrations.upgrade(engine)
        engine.dispose()

    def save(self) -> None:
        """Nothing to prepare: each copy is whole."""

    def moment(self) -> datetime:
        copy = self._file.with_name(f"copy-{len(self._copies)}.db")
        subprocess.run(["sqlite3", "-readonly", str(self._file), f"VACUUM INTO '{copy}'"], check=True)
        now = datetime.now(UTC)
        self._copies[now] = copy
        return now

    def reaches(self, moment: datetime) -> bool:
        return moment in self._copies

    def lose(self) -> None:
        for end in ("", "-wal", "-shm"):
            Path(f"{self._file}{end}").unlink(missing_ok=True)

    def put_back(self, moment: datetime) -> None:
        shutil.copy(self._copies[moment], self._file)
        checked = subprocess.run(
            ["sqlite3", str(self._file), "PRAGMA integrity_check"], check=True, capture_output=True
        )
        assert checked.stdout == b"ok\n"

    def close(self) -> None:
        """The file goes with its folder."""


class PostgreSql:
    """A server whose log pgBackRest keeps: every moment since the backup can be gone back to."""

    def __init__(self, directory: Path) -> None:
        del directory  # pgBackRest runs as postgres, and has a place of its own
        self._server = Server("restore").make()
        self._config = self._server.place / "pgbackrest.conf"
        self._config.write_text(self._configured(), "utf-8")
        self._start()
        self.url = migrated(self._server, "feedback")
        self._segment = ""

    def save(self) -> None:
        self._rest("stanza-create")
        self._rest("--type=full", "backup")

    def moment(self) -> datetime:
        self._segment = self._server.says("SELECT pg_walfile_name(pg_current_wal_lsn())")
        return datetime.fromisoformat(self._server.says("SELECT clock_timestamp()"))

    def reaches(self, moment: datetime) -> bool:  # noqa: ARG002 - the other has one copy a moment
        """A segment after the one of the moment has been shipped: what is not shipped is lost with the disk."""
        return self._server.says("SELECT last_archived_wal FROM pg_stat_archiver") > self._segment

    def lose(self) -> None:
        self._server.stop("immediate")
        shutil.rmtree(self._server.data)
        subprocess.run(["install", "-d", "-m", "700", "-o", str(its_user()), str(self._server.data)], check=True)

    def put_back(self, moment: datetime) -> None:
        self._rest("--type=time", f"--target={moment.isoformat(sep=' ')}", "--target-action=promote", "restore")
        self._start()
        until(lambda: self._server.says("SELECT pg_is_in_recovery()") == "False", 300, "recovery has ended", 0.2)

    def close(self) -> None:
        self._server.close()

    def _start(self) -> None:
        self._server.start(
            **DURABLE, archive_command=f"pgbackrest --config={self._config} --stanza=feedback archive-push %p"
        )

    def _rest(self, *words: str) -> None:
        began = time.monotonic()
        command = ["pgbackrest", f"--config={self._config}", "--stanza=feedback", *words]
        subprocess.run(command, check=True, user=its_user(), cwd=self._server.place)
        print(f"  pgbackrest {' '.join(words)}: {time.monotonic() - began:.1f} s", flush=True)

    def _configured(self) -> str:
        places = {name: self._server.place / name for name in ("repository", "logs", "locks", "spool")}
        for place in places.values():
            place.mkdir()
            user = pwd.getpwnam(str(its_user()))
            os.chown(place, user.pw_uid, user.pw_gid)
        words = {"data": self._server.data, "socket": self._server.place}
        return Template(CONFIG.read_text("utf-8")).substitute(places | words)


BACKED: dict[str, type[Sqlite] | type[PostgreSql]] = {"sqlite": Sqlite, "postgresql": PostgreSql}
