"""A table becomes its own first partition while everything runs and whoever interrupts it; no scan under a lock."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine

from service import migrations
from service.auth import chain
from service.db import open_engine, reading, table_locks, writing
from service.db.partitioned import CUT_BY
from service.errors import Conflict, Invalid, Unavailable
from service.models import delivery_key, process_count, schema_floor, webhook_delivery
from service.partitions import conversion
from tests.floor.app import App, answered, deliver, told
from tests.partitions.partitioned import SETTINGS, in_pieces, nobody, pieces, rows, statements, turn


def lived(app: App) -> list[str]:
    """A ledger with something in each table."""
    made = [deliver(app, f"c-{n}", x_user_id=f"77{n}", agent_id="ann") for n in range(5)]
    answered(app, made[0])
    app.call("DELETE", "/v1/customers/773", app.key("admin"))
    chain.seal_what_waits(app.engine)
    return made


def shown(app: App, made: list[str], key: str) -> list[Any]:
    paths = ("/v1/results", "/v1/requests", "/v1/access-log", *(f"/v1/requests/{each}" for each in made))
    return [app.call("GET", path, key).get_json() for path in paths]


def test_everything_reads_as_before_and_repeats_are_recognised(whole: App) -> None:
    made, key = lived(whole), whole.key("admin")
    whole.call("GET", "/v1/access-log", key)
    before = shown(whole, made, key)
    turn(whole.engine, whole.clock.now)
    assert in_pieces(whole.engine) == set(CUT_BY)
    after = shown(whole, made, key)
    assert [each for each in after if "actor" not in str(each)] == [each for each in before if "actor" not in str(each)]
    assert told(whole, "c-1", x_user_id="771", agent_id="ann")["accepted"] == 0
    assert deliver(whole, "c-new") not in made
    assert rows(whole.engine, "delivery_key") >= rows(whole.engine, "webhook_delivery") == 6
    with reading(whole.engine) as connection:
        assert list(chain.verify(connection)) == []
    assert turn(whole.engine, whole.clock.now) == [], "a second time there is nothing to do"


def test_erased_deliveries_stay_recognised(whole: App) -> None:
    lived(whole)
    turn(whole.engine, whole.clock.now)
    kept = [row.received_at for row in whole.rows(delivery_key)]
    assert kept.count(None) == 1
    assert told(whole, "c-3", x_user_id="773", agent_id="ann")["accepted"] == 0


def test_no_row_is_scanned_under_the_lock(whole: App) -> None:
    lived(whole)
    heard: list[str] = []

    def listen(connection: Any, _record: Any) -> None:
        connection.add_notice_handler(lambda notice: heard.append(str(notice.message_primary)))
        connection.execute("SET client_min_messages = debug1")

    event.listen(whole.engine, "connect", listen)
    whole.engine.dispose()
    turn(whole.engine, whole.clock.now)
    implied = {
        match[1] for each in heard if (match := re.match(r'partition constraint for table "(\w+)" is implied', each))
    }
    assert {f"{table}_first" for table in CUT_BY} <= implied


@pytest.mark.parametrize("life", [4, 9])
def test_an_interrupted_conversion_is_continued(whole: App, life: int) -> None:
    """A few statements a life; between two lives the CRM goes on, and its repeats are known."""
    lived(whole)
    left = life

    def die(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal left
        left -= not statement.startswith("BEGIN")
        if left < 0:
            raise KeyboardInterrupt

    lives = 0
    while in_pieces(whole.engine) != set(CUT_BY):
        lives, left = lives + 1, life * (1 + lives)  # longer and longer: a step is more than a few
        event.listen(whole.engine, "before_cursor_execute", die)
        try:
            turn(whole.engine, whole.clock.now)
        except KeyboardInterrupt:
            pass
        finally:
            event.remove(whole.engine, "before_cursor_execute", die)
        assert told(whole, f"live-{lives}")["accepted"] == 1
        assert told(whole, f"live-{lives}")["accepted"] == 0
        assert told(whole, "c-1", x_user_id="771", agent_id="ann")["accepted"] == 0
    turn(whole.engine, whole.clock.now)
    assert lives > 2, "it was stopped more than once"
    assert rows(whole.engine, "webhook_delivery") == 5 + lives
    assert set(pieces(whole.engine, "webhook_delivery").values()) == {5 + lives, 0}


def test_sqlite_has_no_partitions(sqlite_engine: Engine) -> None:
    with pytest.raises(Invalid) as refused:
        turn(sqlite_engine, App(sqlite_engine).clock.now)
    assert refused.value.code == "partitions_of_postgresql"


def test_rows_with_ids_of_another_kind_stop_the_conversion(whole: App) -> None:
    row = {"source": "crm", "dedupe_key": "k", "content_type": "", "headers": {}, "query": {}, "body": b"{}"}
    with writing(whole.engine) as connection:
        connection.execute(sa.insert(webhook_delivery).values(id="whd_x", received_at=whole.clock.now, **row))
    with pytest.raises(Unavailable) as refused:
        turn(whole.engine, whole.clock.now)
    assert refused.value.code == "rows_of_no_time"
    assert "webhook_delivery" not in in_pieces(whole.engine)
    assert told(whole, "c-1")["accepted"] == 1


def test_a_table_that_is_read_all_the_time_is_left_alone(whole: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_locks, "TRIES", 1)
    with reading(whole.engine) as other:
        other.exec_driver_sql("SELECT count(*) FROM feedback_request")
        with pytest.raises(Conflict) as refused:
            turn(whole.engine, whole.clock.now)
    assert refused.value.code == "table_busy"
    assert told(whole, "c-1")["accepted"] == 1
    turn(whole.engine, whole.clock.now)
    assert in_pieces(whole.engine) == set(CUT_BY)


def living(app: App, revision: str | None) -> None:
    row = {"role": "web", "version": "1", "python": "3", "counts": [], "revision": revision}
    with writing(app.engine) as connection:
        connection.execute(sa.insert(process_count).values(name=f"p-{revision}", seen_at=app.clock.now, **row))


def test_older_code_must_stop_first(whole: App) -> None:
    living(whole, migrations.head())
    living(whole, None)
    with pytest.raises(Conflict) as refused:
        turn(whole.engine, whole.clock.now)
    assert refused.value.code == "processes_without_partitions"
    assert "web p-None run code" in refused.value.sentence
    assert in_pieces(whole.engine) == set()
    whole.clock.forward(minutes=1)
    living(whole, "0099")
    turn(whole.engine, whole.clock.now)


def test_older_code_that_began_meanwhile_must_stop_too(whole: App) -> None:
    steps = conversion.turn(whole.engine, SETTINGS.privacy, whole.clock.now, nobody)
    next(steps)
    living(whole, None)
    with pytest.raises(Conflict) as refused:
        list(steps)
    assert refused.value.code == "processes_without_partitions"
    assert in_pieces(whole.engine) == set()
    whole.clock.forward(minutes=1)
    turn(whole.engine, whole.clock.now)
    assert in_pieces(whole.engine) == set(CUT_BY)


def test_older_code_no_longer_starts(whole: App, monkeypatch: pytest.MonkeyPatch) -> None:
    def floor() -> str | None:
        with reading(whole.engine) as connection:
            return connection.scalar(sa.select(schema_floor.c.revision))

    known = frozenset(each for each in migrations._known() if each < migrations.PARTED_FROM)
    monkeypatch.setattr(migrations, "_known", lambda: known)
    monkeypatch.setattr(migrations, "head", lambda: max(known))
    migrations.require_fitting(whole.engine)
    turn(whole.engine, whole.clock.now)
    assert floor() == migrations.PARTED_FROM
    with pytest.raises(Unavailable) as refused:
        migrations.require_fitting(whole.engine)
    assert refused.value.code == "schema_ahead"


@pytest.fixture
def somebody_else(postgresql_url: str, postgresql_engine: Engine) -> Iterator[Engine]:
    with postgresql_engine.connect() as connection:
        connection.exec_driver_sql("DO $$ BEGIN CREATE ROLE parts_stranger NOLOGIN; EXCEPTION WHEN OTHERS THEN END $$")
        connection.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO parts_stranger")
        connection.commit()
    engine = open_engine(postgresql_url)
    event.listen(engine, "connect", lambda raw, _record: raw.execute("SET ROLE parts_stranger"))
    yield engine
    engine.dispose()


def test_a_user_who_does_not_own_the_tables_is_told_who_does(somebody_else: Engine, whole: App) -> None:
    with pytest.raises(Conflict) as refused:
        turn(somebody_else, whole.clock.now)
    assert refused.value.code == "not_the_owner"


def test_a_running_process_switches_to_the_key_table(whole: App, postgresql_url: str) -> None:
    other = App(open_engine(postgresql_url), SETTINGS, whole.clock)
    told(other, "c-0")
    turn(whole.engine, whole.clock.now)
    assert told(other, "c-0")["accepted"] == 0
    assert told(other, "c-1")["accepted"] == 1
    assert told(other, "c-1")["accepted"] == 0
    other.engine.dispose()
    assert {row.dedupe_key for row in whole.rows(webhook_delivery)} == {
        row.dedupe_key for row in whole.rows(delivery_key)
    }


def test_a_delivery_and_its_key_are_one_statement(app: App) -> None:
    told(app, "c-0")
    with statements(app.engine) as found:
        told(app, "c-1")
    assert len([each for each in found if "webhook_delivery" in each and "INSERT" in each]) == 1
    assert not [each for each in found if "pg_class" in each], "how the tables lie is asked once"
