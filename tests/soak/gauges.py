"""What may grow: in, processes and a database; out, memory, file handles, threads, connections, WAL and latency."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import sqlalchemy as sa
from sqlalchemy.engine import Engine


@dataclass(frozen=True, slots=True)
class Sample:
    """All processes of the service together, at one moment. `wal` in bytes; connections None on SQLite."""

    at_s: float
    rss_mb: float
    handles: int
    threads: int
    connections: int | None
    wal_mb: float
    answer_ms: float


def sample(at_s: float, pids: Iterable[int], engine: Engine, url: str) -> Sample:
    """Look once."""
    lives = [each for each in pids if Path(f"/proc/{each}").is_dir()]
    return Sample(
        at_s,
        sum(_status(each, "VmRSS:") for each in lives) / 1024,
        sum(_handles(each) for each in lives),
        sum(_status(each, "Threads:") for each in lives),
        _connections(engine),
        _wal(engine) / 2**20,
        _answered(url),
    )


def _status(pid: int, name: str) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1])
    return 0


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


def _answered(url: str) -> float:
    """How long `/healthz` took, in milliseconds; -1: no answer."""
    try:
        return httpx.get(f"{url}/healthz", timeout=10, trust_env=False).elapsed.total_seconds() * 1000
    except httpx.HTTPError:
        return -1.0
