"""The disk of database and logs fills up twice while conversations end, and is freed again.

SQLite's file and the logs are on one small tmpfs; PostgreSQL's data is on one, our logs on another. PostgreSQL ends
itself when it finds no room for its WAL, and is restarted as an init system would.
"""

import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.hardship.stage import Played, at_work
from tests.processes.databases import Sqlite
from tests.processes.postgres import Server, migrated

FULL = ((12, 30), (45, 60))
"""From and to which second after the start."""
OURS_MB, POSTGRES_MB = 48, 200


class Small:
    """A disk of so many megabytes, and something that fills it."""

    def __init__(self, place: Path, megabytes: int) -> None:
        self.place, self._filler, self._over = place, place / "filler", threading.Event()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0777", "dmf-small", place], check=True)

    def fill(self) -> None:
        self._over = threading.Event()
        threading.Thread(target=self._fill, daemon=True).start()

    def free(self) -> None:
        self._over.set()
        self._filler.unlink(missing_ok=True)

    def close(self) -> None:
        self.free()
        subprocess.run(["umount", "-l", self.place], check=True)

    def _fill(self) -> None:
        """Also what is freed meanwhile."""
        with self._filler.open("wb", buffering=0) as file:
            while not self._over.wait(0.05):
                with suppress(OSError):
                    while not self._over.is_set():
                        file.write(b"\0" * 65536)
                with suppress(OSError):
                    while not self._over.is_set():
                        file.write(b"\0" * 512)


def play(database: str, seed: int) -> Played:
    """Run it once."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dmf-disk-")))
        small = [Small(directory, OURS_MB)]
        stack.callback(small[0].close)
        if database == "sqlite":
            url = Sqlite(directory).url
        else:
            server = stack.enter_context(_postgresql(small))
            url = migrated(server, "feedback")
            stack.enter_context(_kept_alive(server))
        with at_work(directory, url, seed) as it:
            for begins, ends in FULL:
                it.until(begins)
                for each in small:
                    each.fill()
                it.until(ends)
                for each in small:
                    each.free()
            return it.end()


@contextmanager
def _postgresql(small: list[Small]) -> Iterator[Server]:
    """A server whose whole folder lies on a small disk."""
    server = Server("disk")
    owner = server.place.stat()
    small.append(Small(server.place, POSTGRES_MB))
    subprocess.run(["chown", f"{owner.st_uid}:{owner.st_gid}", server.place], check=True)
    try:
        server.make().start(fsync="on", full_page_writes="on", max_wal_size="64MB", max_connections="200")
        yield server
    finally:
        small[-1].free()
        server.stop()
        small[-1].close()


@contextmanager
def _kept_alive(server: Server) -> Iterator[None]:
    """An init system: restarts what ended."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(1):
            with suppress(AssertionError):  # it does not come up while there is no room
                server.run("pg_ctl", "status", "-D", str(server.data))
                continue
            with suppress(AssertionError):
                server.start(fsync="on", full_page_writes="on", max_wal_size="64MB", max_connections="200")

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join(70)
