"""Behind PgBouncer in transaction mode, where each transaction may use another server session."""

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine, make_url

from service import migrations
from service.db import demand_settings, open_engine, reading, writing
from service.db.postgresql import SETTINGS
from service.errors import Unavailable
from service.models import worker_seen
from tests.processes.children import Child, listens, until
from tests.processes.site import free_port
from tests.support import START

PROGRAM = shutil.which("pgbouncer") or ("/usr/sbin/pgbouncer" if Path("/usr/sbin/pgbouncer").exists() else None)
pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="pgbouncer is not installed (Debian: apt-get install pgbouncer)"
)


@contextmanager
def pooled(url: str, mode: str) -> Iterator[str]:
    """The same database behind a pooler with two servers to give."""
    folder = Path(tempfile.mkdtemp(prefix="dmf-pooler-"))  # pytest's own are for root alone
    to, port = make_url(url), free_port()
    where = f"host={to.query.get('host') or to.host} port={to.port or 5432} user={to.username}"
    where += f" password={to.password}" if to.password else ""
    config = folder / f"{mode}.ini"
    config.write_text(
        f"[databases]\n* = {where}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = any\npool_mode = {mode}\ndefault_pool_size = 2\nmax_client_conn = 100\n"
    )
    folder.chmod(0o755)
    command = [str(PROGRAM), str(config)]
    if os.geteuid() == 0:  # it does not run as root, and the server's socket lets its own user in
        owner = Path(str(to.query.get("host") or "/nowhere"))
        name = owner.owner() if owner.exists() else "postgres"
        command = ["setpriv", f"--reuid={pwd.getpwnam(name).pw_uid}", "--clear-groups", *command]
    with Child("pgbouncer", command, folder / "pgbouncer.log"):
        until(lambda: listens(port), 20, "pgbouncer listens")
        yield f"postgresql://{to.username}@127.0.0.1:{port}/{to.database}"
    shutil.rmtree(folder)


@pytest.fixture
def pooled_engine(postgresql_url: str) -> Iterator[Engine]:
    with pooled(postgresql_url, "transaction") as url:
        engine = open_engine(url)
        yield engine
        engine.dispose()


def test_every_transaction_has_our_settings_and_the_answer_to_its_own_question(pooled_engine: Engine) -> None:
    """Two statements of the same shape, in another order each time, as two processes have them."""

    def ask(number: int) -> tuple[dict[str, str], list[int]]:
        with reading(pooled_engine) as connection:
            found = {name: str(connection.exec_driver_sql(f"SHOW {name}").scalar()) for name in SETTINGS}
            order = (2, 3) if number % 2 else (3, 2)
            asked = [
                connection.execute(sa.text(f"SELECT {times} * CAST(:n AS int)"), {"n": number}).scalar()
                for times in order
            ]
        return found, [int(each or 0) for each in asked]

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(160)))
    assert [found for found, _ in answers] == [SETTINGS] * 160
    assert [sorted(asked) for _, asked in answers] == [[2 * n, 3 * n] for n in range(160)]


def test_writing_and_migrating_work_through_it(pooled_engine: Engine) -> None:
    demand_settings(pooled_engine)
    assert migrations.upgrade(pooled_engine) == migrations.head()

    def write(number: int) -> datetime:
        with writing(pooled_engine) as connection:
            connection.execute(sa.insert(worker_seen).values(name=f"w-{number}", started_at=START, seen_at=START))
        return START

    with ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(write, range(40)))) == 40
    with reading(pooled_engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(worker_seen)) == 40


def test_nothing_is_prepared_in_a_session_that_is_another_ones_in_a_moment(pooled_engine: Engine) -> None:
    def ask(number: int) -> list[int]:
        order = (2, 3) if number % 2 else (3, 2)
        with writing(pooled_engine) as connection:
            asked = [
                connection.execute(sa.text(f"SELECT {times} * CAST(:n AS int)"), {"n": number}).scalar()
                for times in order
            ]
            prepared = connection.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar()
        return [int(prepared or 0), *sorted(int(each or 0) for each in asked)]

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(160))) == [[0, 2 * n, 3 * n] for n in range(160)]


def test_a_statement_pooler_is_refused_at_the_start(postgresql_url: str) -> None:
    with pooled(postgresql_url, "statement") as url:
        engine = open_engine(url)
        with pytest.raises((Unavailable, sa.exc.DBAPIError)):
            demand_settings(engine)
        engine.dispose()
