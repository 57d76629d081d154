"""A PostgreSQL server of our own: created, started, stopped, followed by a replica.

Uses Debian's if there is one, else the wheel's; over a socket in its own folder, so that no port is taken.
"""

import atexit
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import psycopg

from service import migrations
from service.db import open_engine
from tests import postgres_wheel

DEBIAN = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
QUICK = {"fsync": "off", "full_page_writes": "off"}
"""A server of tests need not outlive the machine."""


def tools() -> Path:
    """Where PostgreSQL's programs are."""
    if DEBIAN:
        return DEBIAN[-1]
    return Path(postgres_wheel.module().__file__).parent / "pginstall" / "bin"


def its_user() -> str | None:
    """Whom a server runs as: never root."""
    if os.geteuid() != 0:
        return None
    if DEBIAN:
        return "postgres"
    postgres_wheel.module(".utils").ensure_user_exists("pgserver")
    return "pgserver"


class Server:
    """One server and its folder, which goes with it."""

    def __init__(self, name: str) -> None:
        self.place = Path(tempfile.mkdtemp(prefix=f"dmf-{name}-"))  # short: a socket's path has 107 bytes
        self.data = self.place / "data"
        self.port = "5432"  # which its socket is named after
        if (user := its_user()) is not None:
            os.chown(self.place, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
            self.place.chmod(0o755)

    def make(self) -> "Server":
        """Begin as a copy of one that was never started, which takes an eighth of making one."""
        subprocess.run(["cp", "-a", _never_started().data, self.data], check=True)
        return self

    def copy(self, primary: "Server") -> "Server":
        """Become a streaming replica of the primary, which keeps what this one has not read yet."""
        where = ("-h", str(primary.place), "-p", primary.port, "-U", "postgres")
        slot = ("--create-slot", "--slot", re.sub("[^a-z0-9]", "_", self.place.name.lower()))
        self.run("pg_basebackup", *where, "-D", str(self.data), "-R", "-c", "fast", "-X", "stream", *slot)
        return self

    def start(self, **settings: str) -> "Server":
        words = {"listen_addresses": "", "unix_socket_directories": str(self.place), **QUICK, **settings}
        self.port = words.get("port", self.port)
        given = " ".join(f"-c {name}='{value}'" for name, value in words.items())
        log = str(self.place / "log")
        self.run("pg_ctl", "start", "-w", "-t", "60", "-D", str(self.data), "-l", log, "-o", given)
        return self

    def stop(self, mode: str = "immediate") -> None:
        self.run("pg_ctl", "stop", "-w", "-D", str(self.data), "-m", mode)

    def promote(self) -> None:
        self.run("pg_ctl", "promote", "-w", "-D", str(self.data))

    def tell(self, number: signal.Signals) -> None:
        """A signal to every process of it."""
        postmaster = int((self.data / "postmaster.pid").read_text("utf-8").split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text("ascii").split()
        for pid in (postmaster, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def url(self, database: str, user: str = "postgres") -> str:
        return f"postgresql://{user}@/{database}?host={self.place}"

    def says(self, statement: str, database: str = "postgres") -> str:
        """The first value of an answer, as text; empty where there is none."""
        with psycopg.connect(self.url(database), port=self.port, autocommit=True) as connection:
            found = connection.execute(statement.encode())
            row = found.fetchone() if found.description else None
            return "" if row is None else str(row[0])

    def close(self) -> None:
        if (self.data / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self.place, ignore_errors=True)

    def run(self, program: str, *words: str) -> None:
        done = subprocess.run(
            [tools() / program, *words], user=its_user(), cwd=self.place, capture_output=program != "pg_ctl",
            stdout=subprocess.DEVNULL if program == "pg_ctl" else None, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (program, done.stderr, self.log())

    def log(self) -> str:
        file = self.place / "log"
        return file.read_text("utf-8", "replace")[-2000:] if file.exists() else ""


@cache
def _never_started() -> Server:
    """Made once a test process. Copies have its system identifier: to a service two of them are one cluster."""
    server = Server("made")
    atexit.register(server.close)
    words = ("-U", "postgres", "-A", "trust", "-N", "-E", "UTF8", "--locale=C.UTF-8")
    server.run("initdb", "-D", str(server.data), *words)
    return server


def migrated(server: Server, name: str) -> str:
    """The URL of a new database of ours."""
    server.says(f"CREATE DATABASE {name}")
    engine = open_engine(server.url(name))
    migrations.upgrade(engine)
    engine.dispose()
    return server.url(name)
