"""A partitioned ledger is copied to an unpartitioned one and back; repeated deliveries are recognised in both."""

from datetime import timedelta

import pytest
from sqlalchemy.engine import Engine

from service import migrations
from service.auth import chain
from service.copying.moving import carry, demand_place, every_table, finish
from service.db import open_engine, reading
from service.db.partitioned import CUT_BY
from service.models import delivery_key, webhook_delivery
from tests.copying.test_moving import nobody
from tests.floor.app import App, deliver, told
from tests.partitions.partitioned import SETTINGS, in_pieces, pieces, retold, turn
from tests.partitions.test_upkeep import lives_until


def carried(source: App, target: Engine) -> App:
    demand_place(source.engine, target)
    carry(source.engine, target, every_table(), nobody)
    finish(source.engine, target, every_table(), nobody)
    return App(target, SETTINGS, source.clock)


def test_from_partitioned_to_whole_with_known_repeats(
    postgresql_engine: Engine, sqlite_url: str, sibling: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.copying.known.AT_ONCE", 1)
    app = App(postgresql_engine, SETTINGS)
    turn(postgresql_engine, app.clock.now)
    at = app.clock.now
    for number in range(3):
        retold(app, f"c-gone-{number}", at, x_user_id="771")
    lives_until(app, app.clock.now + timedelta(days=50))
    deliver(app, "c-there", x_user_id="772")
    assert [row.body is None for row in app.rows(webhook_delivery)] == [False]
    there = carried(app, sibling)
    assert in_pieces(sibling) == frozenset()
    assert [row.body is None for row in there.rows(webhook_delivery)] == [True, True, True, False]
    for again in (retold(there, "c-gone-1", at, x_user_id="771"), told(there, "c-there", x_user_id="772")):
        assert (again["accepted"], again["duplicate"]) == (0, 1)
    assert deliver(there, "c-new")
    with reading(sibling) as connection:
        assert list(chain.verify(connection)) == []
    sqlite = open_engine(sqlite_url)
    assert len(carried(there, sqlite).rows(webhook_delivery)) == 5
    sqlite.dispose()


def test_from_whole_to_partitioned(engine: Engine, sibling: Engine) -> None:
    app = App(engine, SETTINGS)
    for number in range(3):
        deliver(app, f"c-{number}", x_user_id=f"77{number}")
    app.call("DELETE", "/v1/customers/771", app.key("admin"))
    chain.seal_what_waits(engine)
    turn(sibling, app.clock.now)
    there = carried(app, sibling)
    assert in_pieces(sibling) == set(CUT_BY)
    assert sum(pieces(sibling, "webhook_delivery").values()) == len(there.rows(delivery_key)) == 3
    for number in range(3):
        assert told(there, f"c-{number}", x_user_id=f"77{number}")["accepted"] == 0
    assert deliver(there, "c-new")
    with reading(sibling) as connection:
        assert list(chain.verify(connection)) == []
    migrations.require_fitting(sibling)


def test_a_copy_that_is_repeated_writes_only_what_changed(postgresql_engine: Engine, sibling: Engine) -> None:
    app = App(postgresql_engine, SETTINGS)
    deliver(app, "c-1")
    turn(sibling, app.clock.now)
    demand_place(postgresql_engine, sibling)
    carry(postgresql_engine, sibling, every_table(), nobody)
    assert not [
        each for each in carry(postgresql_engine, sibling, every_table(), nobody) if each.written or each.deleted
    ]
    with postgresql_engine.begin() as connection:
        connection.exec_driver_sql("UPDATE delivery_item SET detail = 'changed'")
    changed = [
        each.name for each in carry(postgresql_engine, sibling, every_table(), nobody) if each.written or each.deleted
    ]
    assert changed == ["delivery_item"]
