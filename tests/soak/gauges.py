"""One sample of everything that may grow: processes, the database, how long deliveries and readers waited."""

import os
import statistics
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Engine


@dataclass(frozen=True, slots=True)
class Took:
    """How long each took since the last sample, in seconds: deliveries, reads, and a server that does nothing."""

    accepted_s: Sequence[float]
    read_s: Sequence[float]
    noop_s: Sequence[float]


@dataclass(frozen=True, slots=True)
class Sample:
    """All processes together, and what was answered since the last sample. `connections` is None on SQLite.

    `own_mb`: what each process holds of its own, without what it maps from files or shares with its parent's libraries.
    """

    at_s: float
    rss_mb: float
    handles: int
    threads: int
    connections: int | None
    wal_mb: float
    accept_p50_ms: float
    accept_p99_ms: float
    read_p50_ms: float
    noop_p50_ms: float
    cpu_s: float
    own_mb: Mapping[str, float]

    @property
    def accept_by_noop(self) -> float:
        """How many times as long as doing nothing a delivery takes: says something whoever else is busy."""
        return self.accept_p50_ms / self.noop_p50_ms if self.noop_p50_ms else 0.0

    @property
    def read_by_noop(self) -> float:
        """The same of reading."""
        return self.read_p50_ms / self.noop_p50_ms if self.noop_p50_ms else 0.0


def sample(at_s: float, pids: Mapping[str, int], engine: Engine, took: Took) -> Sample:
    """Look once."""
    named = {name: each for name, each in pids.items() if Path(f"/proc/{each}").is_dir()}
    lives = named.values()
    return Sample(
        at_s,
        sum(_status(each, "VmRSS:") for each in lives) / 1024,
        sum(_handles(each) for each in lives),
        sum(_status(each, "Threads:") for each in lives),
        _connections(engine),
        _wal(engine) / 2**20,
        _ms(took.accepted_s, 0.5),
        _ms(took.accepted_s, 0.99),
        _ms(took.read_s, 0.5),
        _ms(took.noop_s, 0.5),
        sum(map(_cpu_s, lives)),
        {name: _status(each, "RssAnon:") / 1024 for name, each in named.items()},
    )


def _ms(seconds: Sequence[float], share: float) -> float:
    """The quantile, in milliseconds; 0 where nothing was answered."""
    if len(seconds) < 2:
        return 1000 * sum(seconds)
    return 1000 * statistics.quantiles(seconds, n=100, method="inclusive")[round(100 * share) - 1]


def _status(pid: int, name: str) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0


def _cpu_s(pid: int) -> float:
    """Seconds of processor since it began."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _handles(pid: int) -> int:
    with suppress(OSError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0


def _connections(engine: Engine) -> int | None:
    if engine.dialect.name != "postgresql":
        return None
    with engine.connect() as connection:
        ours = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(connection.scalar(ours) or 0)


def _wal(engine: Engine) -> int:
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            return int(connection.scalar(sa.text("SELECT sum(size) FROM pg_ls_waldir()")) or 0)
    file = Path(f"{engine.url.database}-wal")
    return file.stat().st_size if file.exists() else 0
