"""A full or read-only database: the source is asked to come again, nothing is half-written, and it recovers."""

import ctypes
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Self

import httpx
import sqlalchemy as sa
from sqlalchemy.engine import Engine, make_url

from service import migrations
from service.db import open_engine, reading
from service.models import feedback_request, webhook_delivery
from tests.postgresql import on_server
from tests.processes.children import Child, cli, until
from tests.processes.deliveries import deliver, post
from tests.processes.site import Site

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1


def test_a_full_disk_is_answered_503_and_heals_by_itself(
    sqlite_site: Site, engine_of: Callable[[Site], Engine]
) -> None:
    site, engine = sqlite_site, engine_of(sqlite_site)
    with web_of(site) as web:
        assert deliver(site, "before") == 200
        fill_up(web, 4096)
        refused = [post(site, f"full-{n}") for n in range(5)]
        assert {each.status_code for each in refused} == {503}
        assert {each.headers["retry-after"] for each in refused} == {"30"}
        assert {each.json()["code"] for each in refused} == {"store_unavailable"}
        assert stored(engine) == (1, 1)
        fill_up(web, resource.RLIM_INFINITY)
        assert [deliver(site, f"full-{n}") for n in range(5)] == [200] * 5
    assert stored(engine) == (6, 6)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"


def test_a_command_on_a_full_disk_asks_for_room(sqlite_site: Site) -> None:
    words = ("--config", str(sqlite_site.config), "keys", "list")
    with cli("keys", sqlite_site.directory, *words, preexec=without_room) as command:
        assert command.wait(120) == 1
        assert "Is there room left on the disk the ledger lies on" in " ".join(command.output().split())


def test_a_read_only_file_is_answered_503_and_heals_by_itself(tmp_path: Path, site_of: Callable[..., Site]) -> None:
    path = tmp_path / "feedback.db"
    site = site_of(f"sqlite:///{path}", tmp_path)
    engine = open_engine(site.database_url)
    migrations.upgrade(engine)
    with reading(engine):  # keeps the WAL and its index in place, as another process of ours would
        files = [path, *(Path(f"{path}-{each}") for each in ("wal", "shm"))]
        for each in files:
            each.chmod(0o444)
        with web_of(site, preexec=without_override):
            refused = post(site, "c-1")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
            assert stored(engine) == (0, 0)
            for each in files:
                each.chmod(0o644)
            assert deliver(site, "c-1") == 200  # the connection that was opened read-only is not used again
    assert stored(engine) == (1, 1)
    engine.dispose()


def test_a_read_only_postgresql_is_answered_503_and_heals_by_itself(
    postgresql_url: str, postgresql_server: str, site_of: Callable[..., Site]
) -> None:
    name = make_url(postgresql_url).database
    on_server(postgresql_server, f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    site = site_of(postgresql_url)
    with web_of(site):
        refused = post(site, "c-1")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
        on_server(postgresql_server, f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
        assert deliver(site, "c-1") == 200  # the session that began read-only is not used again


def web_of(site: Site, preexec: Callable[[], None] | None = None) -> Child:
    return _Web(cli("web", site.directory, "--config", str(site.config), "web", preexec=preexec), site)


class _Web(Child):
    """A web process that answers once it is entered."""

    def __init__(self, child: Child, site: Site) -> None:
        super().__init__(child.name, child.command, child.log, child._preexec)
        self._site = site

    def __enter__(self) -> Self:
        self.start()
        until(lambda: _greets(self._site), 60, "the web process answers")
        return self


def _greets(site: Site) -> bool:
    try:
        return (
            httpx.head(f"{site.web_url}/webhooks/crm/crm", timeout=5, trust_env=False, verify=False).status_code == 200
        )
    except httpx.HTTPError:
        return False


def fill_up(web: Child, size: int) -> None:
    """No file of the web processes may grow beyond `size` bytes: what a full disk does to them."""
    for pid in (web.pid, *web.forked()):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def stored(engine: Engine) -> tuple[int, int]:
    """How many deliveries, how many requests."""
    with reading(engine) as connection:
        counts = [
            connection.scalar(sa.select(sa.func.count()).select_from(table))
            for table in (webhook_delivery, feedback_request)
        ]
    return int(counts[0] or 0), int(counts[1] or 0)


def without_room() -> None:
    """No file may grow beyond a page, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def without_override() -> None:
    """File permissions mean nothing to root, unless it gives up the capability to override them."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)
