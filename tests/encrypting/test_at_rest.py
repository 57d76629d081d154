"""Encryption at rest: nothing stored is legible, no value can be moved, a missing key is noticed."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import Engine

from service import migrations
from service.at_rest.columns import Encrypted, bound
from service.at_rest.keyring import Keyring
from service.at_rest.unreadable import WORD
from service.copying import moving
from service.db import reading, writing
from service.encrypting import checking, key_change
from service.encrypting.in_force import demand_keys, follow_each_write
from service.errors import Conflict, Invalid, Unavailable
from service.metrics.totals import Keeper
from service.models import access_log, encryption_key, process_count, result, result_update, schema_floor
from service.privacy import housekeeping
from service.results.merge import Update, digest
from tests.cli.installation import Cli
from tests.encrypting.poisoned import NASTY, NEW, OLD, OTHER, POISON, Poisoned, encrypted_columns, open_with, x_user_id
from tests.support import START


@pytest.fixture
def in_sqlite(sqlite_url: str) -> Iterator[Poisoned]:
    """Where the database is not the point."""
    there = Poisoned(open_with(sqlite_url, OLD))
    yield there
    there.engine.dispose()


def with_keys(there: Poisoned, *keys: str) -> Poisoned:
    """The same app, started again with other keys."""
    there.engine.dispose()
    there.engine = there.app.engine = open_with(there.engine.url.render_as_string(hide_password=False), *keys)
    there.app.__post_init__()
    demand_keys(there.engine)
    return there


def test_every_encrypted_column_is_bound_to_its_place_and_row() -> None:
    assert len(encrypted_columns()) == 13
    for column in encrypted_columns():
        assert isinstance(column.type, Encrypted)
        assert column.type.place == str(column)
        key = {each.name for each in column.table.primary_key}
        by_parent = {
            "result_update": {"request_id", "way", "x_updated_at"}, "review_note": {"request_id", "at"},
            "timeline_note": {"day", "at"},
        }  # fmt: skip
        assert set(column.type.by) == by_parent.get(column.table.name, key)


def test_readers_see_the_same_before_during_and_after_encryption(poisoned: Poisoned) -> None:
    before = poisoned.shown()
    assert POISON in str(before)
    poisoned.turn_on()
    for _ in range(4):
        poisoned.walk(1)
        assert poisoned.shown() == before
    assert poisoned.walk_to_the_end().finished_at is not None
    assert poisoned.shown() == before
    with_keys(poisoned, NEW, OLD).turn_on()
    poisoned.walk(3)
    assert poisoned.shown() == before
    assert poisoned.walk_to_the_end().finished_at is not None
    assert with_keys(poisoned, NEW).shown() == before
    poisoned.turn_off()
    poisoned.walk(3)
    assert poisoned.shown() == before
    assert poisoned.walk_to_the_end().finished_at is not None
    assert with_keys(poisoned).shown() == before


def test_a_database_dump_contains_no_plain_text(poisoned: Poisoned) -> None:
    assert POISON in poisoned.dump()
    poisoned.turn_on()
    poisoned.said(100, "afterwards")
    assert poisoned.walk_to_the_end().finished_at is not None
    assert POISON not in poisoned.dump()
    assert x_user_id(0)[:-3] not in poisoned.dump()
    assert {place for place, _ in poisoned.stored_values()} == {str(each) for each in encrypted_columns()} - {
        "webhook_delivery.query"  # this CRM sends none
    }
    assert POISON in str(poisoned.shown())


def test_a_scrubbed_file_contains_no_plain_text(in_sqlite: Poisoned) -> None:
    file = Path(str(in_sqlite.engine.url.database))
    in_sqlite.turn_on()
    in_sqlite.walk_to_the_end()
    checking.scrub(in_sqlite.engine)
    beside = [file, *file.parent.glob(f"{file.name}-*")]
    assert [each.name for each in beside if POISON.encode() in each.read_bytes()] == []
    in_sqlite.turn_off()
    in_sqlite.walk_to_the_end()
    checking.scrub(in_sqlite.engine)
    assert POISON.encode() in file.read_bytes()


def test_no_scrub_is_called_done_while_somebody_still_reads_what_was_there_before(in_sqlite: Poisoned) -> None:
    sa.event.listen(in_sqlite.engine, "checkout", lambda raw, *_: raw.execute("PRAGMA busy_timeout=0"))
    with reading(in_sqlite.engine) as connection:
        connection.exec_driver_sql("SELECT count(*) FROM result").scalar()
        with pytest.raises(Conflict, match="Run this again"):
            checking.scrub(in_sqlite.engine)
    checking.scrub(in_sqlite.engine)


def moved(there: Poisoned, statement: str) -> None:
    with writing(there.engine) as connection:
        assert connection.exec_driver_sql(statement).rowcount > 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE result SET text = (SELECT text FROM result WHERE request_id = '{1}') WHERE request_id = '{0}'",
        "UPDATE result SET text = (SELECT card_text FROM feedback_request WHERE id = '{0}') WHERE request_id = '{0}'",
        "UPDATE result SET text = (SELECT text FROM result_update WHERE request_id = '{0}') WHERE request_id = '{0}'",
        "UPDATE result SET text = substr(text, 1, 30) WHERE request_id = '{0}'",
    ],
)
def test_a_moved_value_is_hidden_and_reported(poisoned: Poisoned, statement: str) -> None:
    poisoned.turn_on()
    poisoned.walk_to_the_end()
    moved(poisoned, statement.format(*poisoned.requests))
    shown = poisoned.app.call("GET", f"/v1/results/{poisoned.requests[0]}", poisoned.supervisor).get_json()
    assert shown["text"] == WORD
    refused = {each.column: list(each.refused) for each in checking.check(poisoned.engine) if each.refused}
    assert refused == {"result.text": [poisoned.requests[0]]}
    assert sum(each.wrong for each in checking.check(poisoned.engine)) == 1


def test_a_moved_value_keeps_the_old_key_in_use(in_sqlite: Poisoned) -> None:
    in_sqlite.turn_on()
    in_sqlite.walk_to_the_end()
    one, other, *_ = in_sqlite.requests
    moved(in_sqlite, f"UPDATE result SET text = (SELECT text FROM result WHERE request_id = '{other}') "
                     f"WHERE request_id = '{one}'")  # fmt: skip
    with_keys(in_sqlite, NEW, OLD).turn_on()
    done = in_sqlite.walk_to_the_end()
    assert (done.finished_at is not None, done.refused) == (True, 1)
    with pytest.raises(Unavailable, match="put it back"):
        with_keys(in_sqlite, NEW)


def test_a_missing_or_wrong_key_is_reported_at_the_start(poisoned: Poisoned, tmp_path: Path) -> None:
    poisoned.turn_on()
    old = poisoned.keyring.first
    for keys, said in (((), "it is not set"), ((OTHER,), f"it holds {Keyring((OTHER,)).first}")):
        with pytest.raises(Unavailable, match=f"encrypted under the key {old}.*{said}.*put it back"):
            with_keys(poisoned, *keys)
    cli = Cli(tmp_path, poisoned.engine)
    cli.write(privacy__encryption_key=OTHER, web__bind="127.0.0.1:0")
    for command in (("worker",), ("web",), ("status",), ("keys", "list"), ("serve",)):
        assert cli.refuses(*command)[1] == "encryption_key_missing", command
    assert "privacy.encryption_key" in cli("config", "check", code=78).stderr


def test_a_step_that_dies_changes_nothing_and_another_goes_on(
    poisoned: Poisoned, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = poisoned.shown()
    poisoned.turn_on()
    poisoned.walk(2)
    place = poisoned.progress
    with monkeypatch.context() as patched:
        patched.setattr("service.encrypting.existing_rows._note", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            poisoned.walk(1)
    assert poisoned.progress == place
    assert poisoned.shown() == before
    assert poisoned.walk_to_the_end().finished_at is not None
    assert POISON not in poisoned.dump()


@pytest.mark.parametrize(("at_once", "rows"), [("LOOK_AT", 3), ("REWRITE", 1)])
def test_a_table_of_many_rows_is_rewritten_to_its_end(
    in_sqlite: Poisoned, monkeypatch: pytest.MonkeyPatch, at_once: str, rows: int
) -> None:
    monkeypatch.setattr(f"service.encrypting.existing_rows.{at_once}", rows)
    in_sqlite.turn_on()
    assert in_sqlite.walk_to_the_end().finished_at is not None
    assert POISON not in in_sqlite.dump()


def test_locked_rows_are_skipped(postgresql_url: str) -> None:
    """A row that somebody changes is left, and the pass is not the last."""
    there = Poisoned(open_with(postgresql_url, OLD))
    there.turn_on()
    with writing(there.engine) as connection:
        connection.execute(sa.select(result).where(result.c.request_id == there.requests[0]).with_for_update())
        there.app.clock.forward(minutes=1)
        assert there.walk().skipped == 1
    assert there.progress.finished_at is None
    there.walk()
    assert there.walk().finished_at is not None
    there.engine.dispose()


def test_it_is_not_complete_while_any_process_writes_under_another_key(poisoned: Poisoned) -> None:
    now = poisoned.app.clock
    slow = Keeper(poisoned.engine, "web", now.now)
    slow.keep(now.now)
    other = open_with(poisoned.engine.url.render_as_string(hide_password=False), OLD)
    with writing(other) as connection:
        key_change.turn_on(connection, now.now)
    now.forward(seconds=25)
    poisoned.walk()
    assert poisoned.walk().finished_at is None, "it has said that it writes plainly"
    slow.keep(now.now)
    poisoned.walk()
    assert poisoned.walk().finished_at is None, "a transaction of before may still be under way"
    now.forward(seconds=21)
    slow.keep(now.now)
    poisoned.walk()
    assert poisoned.progress.ids, "from here on everybody finds locked ids, and may write them"
    assert poisoned.walk().finished_at is None, "it has said that it writes ids plainly"
    slow.keep(now.now)
    now.forward(seconds=21)
    slow.keep(now.now)
    poisoned.walk()
    assert poisoned.walk().finished_at is not None
    other.dispose()


def test_a_process_without_the_key_prevents_the_change(in_sqlite: Poisoned) -> None:
    now = in_sqlite.app.clock.now
    bare = open_with(in_sqlite.engine.url.render_as_string(hide_password=False))
    Keeper(bare, "web", now).keep(now)
    with pytest.raises(Conflict, match=r"web .* run without the key: restart them"):
        in_sqlite.turn_on()
    with writing(bare) as connection:  # a process of the version before says nothing
        connection.execute(sa.update(process_count).values(encryption=None))
    with pytest.raises(Conflict, match="run without the key"):
        in_sqlite.turn_on()
    in_sqlite.app.clock.forward(minutes=2)  # it is dead
    in_sqlite.turn_on()
    with pytest.raises(Conflict, match="is already in use"):
        in_sqlite.turn_on()
    bare.dispose()


def lying_text(there: Poisoned, request_id: str) -> str:
    with reading(there.engine) as connection:
        statement = sa.text("SELECT text FROM result WHERE request_id = :one")
        return str(connection.scalar(statement, {"one": request_id}))


def test_a_running_command_follows_the_change_of_key(poisoned: Poisoned) -> None:
    url, one = poisoned.engine.url.render_as_string(hide_password=False), poisoned.requests[0]
    command, without = open_with(url, OLD), open_with(url)
    change = sa.update(result).where(result.c.request_id == one).values(text=bound("written late", one))
    for each in (command, without):
        demand_keys(each)
        follow_each_write(each)
    with writing(command) as connection:
        connection.execute(change)
    assert lying_text(poisoned, one) == "written late"
    poisoned.turn_on()
    with writing(command) as connection:
        connection.execute(change)
    assert lying_text(poisoned, one).startswith(f"dmf1.{poisoned.keyring.first}.")
    with pytest.raises(Unavailable, match="does not hold it"), writing(without) as connection:
        connection.execute(change)
    command.dispose()
    without.dispose()


def test_without_a_key_it_says_how_to_get_one(sqlite_engine: Engine) -> None:
    bare = open_with(sqlite_engine.url.render_as_string(hide_password=False))
    with pytest.raises(Invalid, match="openssl rand"), writing(bare) as connection:
        key_change.turn_on(connection, START)
    bare.dispose()


def test_code_that_cannot_read_it_does_not_start_here(poisoned: Poisoned) -> None:
    def oldest() -> str | None:
        with reading(poisoned.engine) as connection:
            return connection.scalar(sa.select(schema_floor.c.revision))

    assert oldest() == migrations.floor() < migrations.IDS_FROM
    poisoned.turn_on()
    assert oldest() == migrations.IDS_FROM
    migrations.upgrade(poisoned.engine)
    assert oldest() == migrations.IDS_FROM
    poisoned.walk_to_the_end()
    poisoned.turn_off()
    poisoned.walk_to_the_end()
    migrations.upgrade(poisoned.engine)
    assert oldest() == migrations.floor()


def test_repeats_are_recognised_by_a_digest_that_reveals_nothing(poisoned: Poisoned) -> None:
    one = poisoned.requests[0]
    text = f"{POISON} {NASTY[0]} said"
    at = poisoned.app.clock.now
    known = digest(Update(at, 4, at, text, at))
    assert known in poisoned.dump()
    poisoned.turn_on()
    assert poisoned.answer(one, 4, text) == "repeat"
    poisoned.walk_to_the_end()
    assert known not in poisoned.dump()
    with poisoned.engine.connect() as connection:
        before = connection.scalar(sa.select(sa.func.count()).select_from(result_update))
    poisoned.app.clock.now = at
    assert poisoned.answer(one, 4, text) == "repeat"
    with poisoned.engine.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(result_update)) == before


def test_a_post_with_an_idempotency_key_is_recognised(poisoned: Poisoned) -> None:
    def post() -> tuple[int, str]:
        path, once = f"/v1/results/{poisoned.requests[0]}/notes", {"Idempotency-Key": "note 0"}
        note = {"text": f"{POISON} {NASTY[0]} noted"}
        answer = poisoned.app.call("POST", path, poisoned.supervisor, note, headers=once)
        return answer.status_code, answer.get_data(as_text=True)

    before = post()
    poisoned.turn_on()
    assert post() == before
    poisoned.walk()
    assert post() == before


def test_erasure_and_retention_reach_encrypted_values(poisoned: Poisoned) -> None:
    poisoned.turn_on()
    poisoned.walk_to_the_end()
    now, settings = poisoned.app.clock.now, poisoned.app.settings
    held = poisoned.app.call("GET", f"/v1/customers/{x_user_id(0)}", poisoned.admin).get_data(as_text=True)
    assert POISON in held
    counts = housekeeping.erase(poisoned.engine, settings, x_user_id(0), by="test", now=now)
    assert (counts["deliveries"], counts["notes"], counts["results"]) == (1, 1, 1)
    assert POISON not in poisoned.app.call("GET", f"/v1/customers/{x_user_id(0)}", poisoned.admin).get_data(
        as_text=True
    )
    late = now + timedelta(days=5000)
    forgotten = housekeeping.prune(poisoned.engine, settings, late, dry_run=False)
    assert forgotten["deliveries"] == forgotten["texts"] == len(poisoned.requests) - 1
    staffs = {"review_note.text", "posted_once.answer", "person_name.name", "timeline_note.text"}
    assert {place for place, _ in poisoned.stored_values()} <= staffs


def test_a_copy_needs_no_key_to_make_and_the_key_to_read(poisoned: Poisoned, tmp_path: Path) -> None:
    before = poisoned.shown()
    poisoned.turn_on()
    poisoned.walk_to_the_end()
    source = open_with(poisoned.engine.url.render_as_string(hide_password=False))
    target = open_with(f"sqlite:///{tmp_path}/copy.db")
    moving.demand_place(source, target)
    moving.finish(source, target, moving.every_table(), lambda *_: None)
    with reading(target) as connection:
        assert connection.scalar(sa.select(schema_floor.c.revision)) == migrations.IDS_FROM
        assert connection.scalar(sa.select(encryption_key.c.id)) == poisoned.keyring.first
    target.dispose()
    source.dispose()
    poisoned.engine.dispose()
    poisoned.engine = target
    assert with_keys(poisoned, OLD).shown() == before


def test_the_commands_show_the_progress(tmp_path: Path, in_sqlite: Poisoned) -> None:
    cli = Cli(tmp_path, in_sqlite.engine)
    assert "Nothing was ever encrypted" in cli.says("privacy", "status")
    assert cli.refuses("privacy", "encrypt")[1] == "no_encryption_key"
    assert cli.refuses("privacy", "decrypt")[1] == "not_encrypted"
    cli.write(privacy__encryption_key=[OLD])
    assert in_sqlite.keyring.first in cli.says("privacy", "encrypt")
    assert "Under way: waiting" in cli.says("privacy", "status")
    in_sqlite.walk_to_the_end()
    assert f"result.text: {len(in_sqlite.requests)} under {in_sqlite.keyring.first}" in cli.says("privacy", "check")
    moved(in_sqlite, f"UPDATE result SET text = upper(text) WHERE request_id = '{in_sqlite.requests[0]}'")
    moved(in_sqlite, "UPDATE review_note SET text = (SELECT max(text) FROM review_note WHERE id > 1) WHERE id = 1")
    assert "row " in cli("privacy", "check", code=1).output
    cli.says("privacy", "scrub", "--yes")
    assert [each.action for each in cli.rows(access_log)][-1] == "encryption.on"


@given(st.text(), st.text(max_size=5), st.integers(0, 400), st.integers(1, 255))
def test_a_changed_byte_or_another_place_does_not_decrypt(plain: str, place: str, at: int, by: int) -> None:
    keyring = Keyring((OLD, NEW))
    locked = keyring.encrypt_bytes(plain.encode("utf-8", "surrogatepass"), place, keyring.first)
    assert keyring.decrypt_text(keyring.encrypt_text(plain, place, keyring.first), place) == plain
    with pytest.raises(Unavailable):
        keyring.decrypt_bytes(locked, f"{place} ")
    at %= len(locked)
    changed = locked[:at] + bytes([locked[at] ^ by]) + locked[at + 1 :]
    if keyring.key_of(changed) is None:  # its head: then it is nobody's, and shown as it is
        assert at < len(f"dmf1.{keyring.first}.")
    else:
        with pytest.raises(Unavailable):
            keyring.decrypt_bytes(changed, place)


def test_a_write_without_its_row_is_refused(in_sqlite: Poisoned) -> None:
    in_sqlite.turn_on()
    forgets: Any = sa.update(result).values(text="whose?")
    with pytest.raises(sa.exc.StatementError, match="say which row"), writing(in_sqlite.engine) as connection:
        connection.execute(forgets)
    with writing(in_sqlite.engine) as connection:
        mine = result.c.request_id == in_sqlite.requests[0]
        connection.execute(sa.update(result).where(mine).values(text=bound("mine", in_sqlite.requests[0])))
    assert "mine" in {row.text for row in in_sqlite.app.rows(result)}
    assert "mine" not in in_sqlite.dump().split("\n")
