"""Statements that PostgreSQL keeps parsed: what is written again and again; not what is read, nor behind a pooler."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.db import open_engine, reading, writing
from service.db.outages import is_away
from service.db.postgresql import PREPARE_AFTER

PREPARED = "SELECT count(*) FROM pg_prepared_statements"


@pytest.fixture
def bare(postgresql_url: str) -> Iterator[Engine]:
    """One connection, new, and a table in it."""
    engine = open_engine(postgresql_url)
    with writing(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE word (said INTEGER)")
    yield engine
    with writing(engine) as connection:
        connection.exec_driver_sql("DROP TABLE word")
    engine.dispose()


def say(connection: Connection) -> int:
    return int(connection.scalar(sa.text("SELECT count(said) FROM word")) or 0)


def prepared(engine: Engine) -> int:
    with reading(engine) as connection:
        return int(connection.exec_driver_sql(PREPARED).scalar_one())


def test_what_a_writer_says_again_and_again_is_prepared(bare: Engine) -> None:
    for _ in range(PREPARE_AFTER + 1):
        with writing(bare) as connection:
            assert say(connection) == 0
    assert prepared(bare) == 1


def test_what_is_only_read_is_planned_each_time(bare: Engine) -> None:
    for _ in range(PREPARE_AFTER * 2):
        with reading(bare) as connection:
            assert say(connection) == 0
    assert prepared(bare) == 0


def newest(engine: Engine) -> object:
    with writing(engine) as connection:
        return connection.scalar(sa.text("SELECT max(said) FROM word"))


@pytest.mark.parametrize("change", ["ALTER TABLE word ALTER COLUMN said TYPE TEXT", "a session that others reset"])
def test_what_was_prepared_and_is_of_no_use_any_more_costs_one_repetition(
    bare: Engine, postgresql_engine: Engine, change: str
) -> None:
    for _ in range(PREPARE_AFTER + 1):
        newest(bare)
    if change.startswith("ALTER"):
        with writing(postgresql_engine) as connection:
            connection.exec_driver_sql(change)
    else:
        with reading(bare) as connection:
            connection.exec_driver_sql("DEALLOCATE ALL")
    with pytest.raises(sa.exc.DBAPIError) as refused:
        newest(bare)
    assert is_away(refused.value)
    assert newest(bare) is None
