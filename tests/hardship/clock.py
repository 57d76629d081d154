"""The clock of web and workers jumps an hour forth and back, then an hour back and forth, while conversations end.

X, the CRM and the database keep the right time. X either accepts what a wrong clock signs, so that only our own records
protect the customer, or refuses it with 135, as it does beyond five minutes.
"""

import mmap
import struct
import subprocess
import tempfile
from functools import partial
from pathlib import Path

from tests.hardship.stage import Played, Stage, at_work
from tests.processes.databases import open_database

HOUR_S = 3600
JUMPS = ((12, HOUR_S), (28, 0), (42, -HOUR_S), (58, 0))
"""Seconds after the start, and how far the clock is ahead from then on."""


class Clock:
    """A clock that is so many seconds ahead of this machine's, for whoever is started with its words before."""

    def __init__(self, directory: Path) -> None:
        self._file, library = directory / "clock", directory / "clock.so"
        self._file.write_bytes(struct.pack("q", 0))
        source = Path(__file__).with_suffix(".c")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        self.words = ("env", f"LD_PRELOAD={library}", f"DMF_CLOCK={self._file}")

    def set(self, ahead_s: int) -> None:
        """From now on, in every process."""
        with self._file.open("r+b") as file, mmap.mmap(file.fileno(), 8) as seen:
            seen[:] = struct.pack("q", ahead_s)


def play(database: str, seed: int, *, x_refuses: bool) -> Played:
    """Run it once."""
    with tempfile.TemporaryDirectory(prefix="dmf-clock-") as name:
        directory = Path(name)
        clock, store = Clock(directory), open_database(database, directory)
        switches = {} if x_refuses else {"oauth_tolerance_s": 2 * HOUR_S}
        try:
            with at_work(directory, store.url, seed, clock.words, switches) as stage:
                for second, ahead_s in JUMPS:
                    stage.until(second)
                    clock.set(ahead_s)
                return stage.end(partial(_an_hour_later, stage, clock))
        finally:
            store.close()


def _an_hour_later(stage: Stage, clock: Clock) -> None:
    """What was put off while the clock was ahead waits until then; nothing else has to happen."""
    stage.x.put("/assumptions", {"oauth_tolerance_s": 2 * HOUR_S})
    clock.set(HOUR_S)
