"""A value changed in the database: every reader continues; it is marked, counted, logged and named."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine
from structlog.testing import capture_logs

from service.at_rest.columns import Encrypted, bound, stored
from service.at_rest.keyring import MOST_TOLD, Keyring
from service.at_rest.unreadable import TEXT, WORD
from service.cli.source_send import definition_of
from service.db import reading, writing
from service.encrypting import checking
from service.encrypting.in_force import demand_keys
from service.errors import Unavailable
from service.intake.inbox.replay import replay
from service.models import delivery_item, feedback_request, result, result_update, webhook_delivery
from service.privacy import housekeeping
from service.results.page.token_lookup import find
from service.telemetry.counters import PROCESS_COUNTS
from service.ways import page
from tests.encrypting.poisoned import OLD, Poisoned, encrypted_columns, open_with, x_user_id
from tests.filled_ledgers import poured

BAD_BYTES = b"dmf1.\xc3\x28"  # no text in any encoding of ours
ELSEWHERE = {"posted_once", "person_name", "timeline_note"}
LISTS = ("/v1/results", "/v1/results?q=arsenic", "/v1/requests", "/v1/changes", "/v1/results.csv", "/v1/results.jsonl")


@pytest.fixture
def poisoned(database_url: str) -> Iterator[Poisoned]:
    there = Poisoned(open_with(database_url, OLD))
    there.app.clock.now = poured(there.engine, "poisoned and locked", lambda: locked(there))
    demand_keys(there.engine)
    there.keyring.settled = False  # it does not know yet that everything is
    yield there
    there.engine.dispose()


def locked(there: Poisoned) -> datetime:
    there.turn_on()
    there.walk_to_the_end()
    return there.app.clock.now


def damage(there: Poisoned, column: sa.Column[Any], **row: str) -> None:
    """Truncate a value, so that it cannot be decrypted."""
    kind: sa.types.TypeEngine[Any] = stored(column.type)
    with writing(there.engine) as connection:
        where = [column.table.c[name] == value for name, value in row.items()]
        lies = connection.scalar(sa.select(sa.type_coerce(column, kind)).where(*where))
        cut = lies[:-5] + (b"abcde" if isinstance(lies, bytes) else "abcde")
        connection.execute(sa.update(column.table).where(*where).values({column.name: sa.literal(cut, kind)}))


def test_every_list_and_file_marks_the_damaged_value(poisoned: Poisoned) -> None:
    one, *others = poisoned.requests
    before = {path: read(poisoned, path) for path in LISTS}
    counted = refused("result.text")
    damage(poisoned, result.c.text, request_id=one)
    with capture_logs() as logs:
        after = {path: read(poisoned, path) for path in LISTS}
    for path in set(LISTS) - {"/v1/results?q=arsenic", "/v1/requests"}:
        assert after[path].count(WORD) == 1, path
        assert sum(each in after[path] for each in others) == sum(each in before[path] for each in others), path
    assert one not in after["/v1/results?q=arsenic"], "nothing is found in what cannot be read"
    assert all(each in after["/v1/results?q=arsenic"] for each in others)
    assert refused("result.text") > counted
    told = [each for each in logs if each["event"] == "encrypted_value_refused"]
    assert [(each["column"], each["row"]) for each in told] == [("result.text", one)], "once"


def refused(column: str) -> float:
    return PROCESS_COUNTS.so_far().get(("unreadable_values", (column,)), (0,))[0]


def read(there: Poisoned, path: str) -> str:
    answer = there.app.call("GET", path, there.admin)
    assert answer.status_code == 200, (path, answer.get_data(as_text=True))
    return str(answer.get_data(as_text=True))


@pytest.mark.parametrize("format", ["xlsx", "parquet"])
def test_binary_files_mark_it_too(poisoned: Poisoned, format: str) -> None:
    damage(poisoned, result.c.text, request_id=poisoned.requests[0])
    answer = poisoned.app.call("GET", f"/v1/results.{format}", poisoned.admin)
    assert answer.status_code == 200, answer.get_data(as_text=True)


def test_export_and_erasure_of_the_person_still_work(poisoned: Poisoned) -> None:
    """Every column at once: whoever asks what is held of them is told of the rest."""
    one = poisoned.requests[0]
    with reading(poisoned.engine) as connection:
        told = connection.scalar(sa.select(feedback_request.c.delivery_id).where(feedback_request.c.id == one))
    keys = {"webhook_delivery": {"id": told}, "feedback_request": {"id": one}}
    damaged = [each for each in encrypted_columns() if each.table.name not in ELSEWHERE and each.name != "query"]
    for column in damaged:
        damage(poisoned, column, **keys.get(column.table.name, {"request_id": one}))
    held = poisoned.app.call("GET", f"/v1/customers/{x_user_id(0)}", poisoned.admin)
    assert held.status_code == 200, held.get_data(as_text=True)
    assert held.get_data(as_text=True).count(WORD) == len(damaged)
    assert read(poisoned, f"/v1/results/{one}/notes").count(WORD) == 1
    named = {each.column: list(each.refused) for each in checking.check(poisoned.engine) if each.refused}
    assert set(named) == {str(each) for each in damaged}
    now, settings = poisoned.app.clock.now, poisoned.app.settings
    counts = housekeeping.erase(poisoned.engine, settings, x_user_id(0), by="test", now=now)
    assert (counts["requests"], counts["deliveries_unreadable"]) == (1, 1)
    assert not [each for each in checking.check(poisoned.engine) if each.refused]


def test_a_value_that_a_change_of_the_key_leaves_alone_is_logged_by_its_row(poisoned: Poisoned) -> None:
    one = poisoned.requests[0]
    damage(poisoned, result_update.c.text, request_id=one)
    poisoned.turn_off()
    with capture_logs() as logs:
        assert poisoned.walk_to_the_end().refused == 1
    told = [each for each in logs if each["event"] == "encrypted_value_refused"]
    assert {(each["column"], *each["row"].split(", ")[:2]) for each in told} == {("result_update.text", one, "card")}


def test_a_check_reads_everything_however_long_it_takes(poisoned: Poisoned) -> None:
    ran = list[str]()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        ran.append(statement)

    sa.event.listen(poisoned.engine, "before_cursor_execute", note)
    columns = list(checking.check(poisoned.engine))
    lifted = len(columns) if poisoned.engine.dialect.name == "postgresql" else 0
    assert ran.count("SET LOCAL statement_timeout = 0") == lifted


def test_an_unreadable_delivery_is_counted_and_the_next_one_read(poisoned: Poisoned) -> None:
    with writing(poisoned.engine) as connection:
        unmappable = {"outcome": "unmappable", "reason": "test"}
        connection.execute(sa.update(delivery_item).values(unmappable))
        one = str(connection.scalar(sa.select(sa.func.min(webhook_delivery.c.id))))
    for column in (webhook_delivery.c.body, webhook_delivery.c.headers):
        damage(poisoned, column, id=one)
    definition = definition_of(poisoned.app.settings, "crm")
    counts = replay(poisoned.engine, definition, None, poisoned.app.clock.now)
    assert (counts.unreadable, counts.deliveries, counts.gone) == (1, len(poisoned.requests) - 1, 0)


def test_a_damaged_answer_is_restored_from_other_reports(poisoned: Poisoned) -> None:
    one, other, *_ = poisoned.requests
    before = text_of(poisoned, one)
    damage(poisoned, result.c.text, request_id=one)
    damage(poisoned, result_update.c.text, request_id=other)
    poisoned.app.clock.forward(minutes=1)
    assert poisoned.answer(one, 3, before) == "anomaly"
    assert text_of(poisoned, one) == before
    kept = text_of(poisoned, other)
    poisoned.answer(other, 4, kept)
    assert text_of(poisoned, other) == kept


def test_an_answer_to_a_damaged_request_is_kept(poisoned: Poisoned) -> None:
    one = poisoned.requests[0]
    damage(poisoned, result.c.text, request_id=one)
    damage(poisoned, result_update.c.text, request_id=one)
    poisoned.app.clock.forward(minutes=1)
    poisoned.answer(one, 3, "later words")
    assert text_of(poisoned, one) == TEXT
    with reading(poisoned.engine) as connection:
        assert "later words" in set(connection.scalars(sa.select(result_update.c.text)))


def text_of(there: Poisoned, request_id: str) -> str:
    with reading(there.engine) as connection:
        return str(connection.scalar(sa.select(result.c.text).where(result.c.request_id == request_id)))


@pytest.mark.parametrize("lies", ["dmf1.", "dmf1.deadbeef.AAAA", "dmf1.words of whoever writes to the database"])
def test_a_value_with_the_prefix_is_damaged_once_everything_is_encrypted(poisoned: Poisoned, lies: str) -> None:
    one, statement = poisoned.requests[0], sa.text("UPDATE result SET text = :lies WHERE request_id = :one")
    with writing(poisoned.engine) as connection:
        connection.execute(statement, {"lies": lies, "one": one})
    assert text_of(poisoned, one) == lies, "as long as this process does not know that everything is"
    demand_keys(poisoned.engine)
    assert text_of(poisoned, one) == WORD
    assert [each.refused for each in checking.check(poisoned.engine) if each.column == "result.text"] == [[one]]
    poisoned.turn_off()
    poisoned.walk_to_the_end()
    demand_keys(poisoned.engine)
    assert text_of(poisoned, one) == lies, "whoever decrypts has what lies there"


def test_many_damaged_values_do_not_flood_the_log() -> None:
    keyring = Keyring(["a key of the settings"])
    assert keyring.is_news("result.text\x1f1")
    assert not keyring.is_news("result.text\x1f1")
    for each in range(2, MOST_TOLD + 1):
        assert keyring.is_news(f"result.text\x1f{each}")
    assert not keyring.is_news("result.text\x1fone more")


def test_the_page_never_shows_the_marker_as_the_customers_text(poisoned: Poisoned) -> None:
    one, window = poisoned.requests[0], poisoned.app.settings.reports.answer_window
    token = "a" * 22
    with writing(poisoned.engine) as connection:
        mine = feedback_request.c.id == one
        connection.execute(sa.update(feedback_request).where(mine).values(page_hash=page.recognise(token)))
    damage(poisoned, result.c.text, request_id=one)
    with reading(poisoned.engine) as connection:
        found = find(connection, token, answer_window=window, now=poisoned.app.clock.now)
    assert found is not None
    assert found.said.commented


def test_a_post_with_a_damaged_answer_is_refused_and_not_repeated(poisoned: Poisoned) -> None:
    with writing(poisoned.engine) as connection:
        connection.execute(sa.text("UPDATE posted_once SET answer = '\"dmf1\"'"))
    path, once = f"/v1/results/{poisoned.requests[7]}/notes", {"Idempotency-Key": "note 7"}
    note = {"text": "arsenic plain noted"}
    answer = poisoned.app.call("POST", path, poisoned.supervisor, note, headers=once)
    assert (answer.status_code, answer.get_json()["code"]) == (503, "encrypted_value_refused")
    assert len(poisoned.app.call("GET", path, poisoned.supervisor).get_json()["items"]) == 1


def test_invalid_utf8_in_sqlite_breaks_no_page(sqlite_url: str) -> None:
    there = Poisoned(open_with(sqlite_url, OLD))
    there.turn_on()
    there.walk_to_the_end()
    one = there.requests[0]
    with writing(there.engine) as connection:
        values = {"bad": BAD_BYTES, "one": one}
        for table, column, key in (
            ("result", "text", "request_id"), ("feedback_request", "alternatives", "id"),
            ("feedback_request", "card_text", "id"),
        ):  # fmt: skip
            change = f"UPDATE {table} SET {column} = CAST(:bad AS TEXT) WHERE {key} = :one"
            connection.execute(sa.text(change), values)
    assert len(there.app.call("GET", "/v1/results", there.admin).get_json()["items"]) == len(there.requests)
    assert read(there, f"/v1/customers/{x_user_id(0)}").count(WORD) >= 1
    assert there.walk().finished_at is not None
    list(checking.check(there.engine))
    there.turn_off()
    assert there.walk_to_the_end().finished_at is not None
    there.engine.dispose()


def test_no_column_accepts_the_marker(poisoned: Poisoned, engine: Engine) -> None:
    """Neither where it is encrypted, nor where it is not."""
    one = poisoned.requests[0]
    for place in (poisoned.engine, engine):
        change: Any = sa.update(result).where(result.c.request_id == one).values(text=bound(TEXT, one))
        with pytest.raises((Unavailable, sa.exc.StatementError)), writing(place) as connection:
            connection.execute(change)
    assert all(isinstance(each.type, Encrypted) for each in encrypted_columns())
