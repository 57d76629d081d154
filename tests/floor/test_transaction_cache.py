"""Repeated questions in one read transaction are answered once, and not kept beyond it."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.db import reading, reading_on, writing
from service.db.transaction_cache import once_per_transaction
from service.models import account_state
from tests.support import START


def known(connection: Connection) -> list[str]:
    """The accounts, as they are found once."""
    return list(
        once_per_transaction(
            connection, "accounts", lambda: connection.scalars(sa.select(account_state.c.account)).all()
        )
    )


def enrol(connection: Connection, name: str) -> None:
    connection.execute(sa.insert(account_state).values(account=name, updated_at=START))


def test_one_reading_looks_once_and_the_next_one_looks_again(engine: Engine) -> None:
    asked: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    with reading(engine) as connection:
        assert known(connection) == []
        del asked[:]
        assert known(connection) == []
        assert asked == []
        assert once_per_transaction(connection, "another question", lambda: 7) == 7
    with writing(engine) as connection:
        enrol(connection, "acme")
    with reading(engine) as connection:
        assert known(connection) == ["acme"]


def test_each_transaction_of_a_connection_looks_again(engine: Engine) -> None:
    with engine.connect() as connection:
        with reading_on(connection):
            assert known(connection) == []
        with writing(engine) as other:
            enrol(other, "acme")
        with reading_on(connection):
            assert known(connection) == ["acme"]


def test_a_write_transaction_sees_its_own_writes(engine: Engine) -> None:
    with writing(engine) as connection:
        assert known(connection) == []
        enrol(connection, "acme")
        assert known(connection) == ["acme"]


def test_what_cannot_be_found_is_looked_for_again(engine: Engine) -> None:
    found = iter([ValueError("away"), 7])

    def look() -> int:
        one = next(found)
        if isinstance(one, Exception):
            raise one
        return one

    with reading(engine) as connection:
        for expected in (None, 7, 7):
            try:
                assert once_per_transaction(connection, "it", look) == expected
            except ValueError:
                assert expected is None
