"""Partitions together with encryption at rest and with a connection pooler."""

from datetime import timedelta

import pytest
from sqlalchemy.engine import Engine

from service.db import open_engine
from tests.encrypting.poisoned import OLD, POISON, Poisoned, open_with
from tests.floor.app import App, told
from tests.floor.test_pgbouncer import PROGRAM, pooled
from tests.partitions.partitioned import SETTINGS, pieces, retold, rows, turn
from tests.partitions.test_upkeep import pruned


def filled(engine: Engine, table: str) -> int:
    return len([rows for rows in pieces(engine, table).values() if rows])


def test_plain_values_are_encrypted_in_every_partition(postgresql_url: str) -> None:
    there = Poisoned(open_with(postgresql_url, OLD))
    turn(there.engine, there.app.clock.now)
    there.app.clock.forward(days=9)
    there.said(100, "later")
    assert filled(there.engine, "webhook_delivery") == filled(there.engine, "delivery_item") == 2
    before = there.shown()
    there.turn_on()
    assert there.walk_to_the_end().finished_at is not None
    assert there.shown() == before
    assert POISON not in there.dump()
    there.engine.dispose()


@pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")
def test_partitioning_works_through_a_pooler(postgresql_url: str) -> None:
    with pooled(postgresql_url, "transaction") as url:
        app = App(open_engine(url), SETTINGS)
        at = app.clock.now
        assert retold(app, "c-0", at)["accepted"] == 1
        turn(app.engine, at)
        assert retold(app, "c-0", at)["accepted"] == 0
        assert told(app, "c-1")["accepted"] == 1
        app.clock.now += timedelta(days=60)
        assert pruned(app)["partitions"] > 2
        assert rows(app.engine, "webhook_delivery") == 0
        assert retold(app, "c-0", at)["accepted"] == 0
        app.engine.dispose()
