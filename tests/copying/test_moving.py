"""A ledger is copied to another database while it is written to; nothing starts on half a copy or on the old one."""

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service import migrations
from service.at_rest.columns import keyring_of, with_keys
from service.at_rest.keyring import ID_MARK
from service.copying import moving
from service.copying.moving import carry, demand_place, demand_silence, every_table, finish
from service.copying.rows import AT_ONCE
from service.customers import identities
from service.db import open_engine, reading, writing
from service.errors import Conflict, Unavailable
from service.metrics import totals
from service.models import feedback_request, metadata, naming, review_note, transition, webhook_delivery, x_identity
from service.telemetry.counters import ProcessCounts
from tests.cli.installation import Cli
from tests.copying.conftest import Place
from tests.filled_ledgers import poured
from tests.floor.app import App, answered, deliver, told


@pytest.fixture
def app(engine: Engine) -> App:
    """A ledger with something in it, on each database."""
    built = App(engine)
    poured(engine, "something of each", lambda: filled(built))
    return built


@pytest.fixture
def target(app: App, elsewhere: Place) -> Engine:
    """Another database, made ready for the copy."""
    made = elsewhere()
    demand_place(app.engine, made)
    return made


def filled(built: App) -> None:
    key = built.key("supervisor")
    for number in range(7):
        deliver(built, f"c-{number}", x_user_id=f"77177177{number}", tags=["vip", "ü"], agent_id="ann")
    asked = deliver(built, "c-asked", x_user_id="501")
    answered(built, asked)
    told(built, "c-asked", x_user_id="501")
    assert built.call("POST", f"/v1/results/{asked}/notes", key, {"text": "Well done."}).status_code == 201
    built.call("DELETE", "/v1/customers/771771773", built.key("admin"))


def nobody(_table: str, _rows: int) -> None:
    """Ignores the progress."""


def copied(source: Engine, target: Engine) -> dict[str, tuple[int, int]]:
    """What a pass has written and deleted, by table."""
    found = carry(source, target, every_table(), nobody)
    return {each.name: (each.written, each.deleted) for each in found if each.written or each.deleted}


def everything(engine: Engine) -> dict[str, tuple[int, str]]:
    with reading(engine) as connection:
        return {each.table.name: each.proof(connection) for each in every_table()}


def test_the_copy_is_equal_and_repeating_it_writes_nothing(app: App, unmigrated: Place) -> None:
    target = unmigrated()
    demand_place(app.engine, target)
    first = copied(app.engine, target)
    assert first["feedback_request"] == (8, 0)
    assert copied(app.engine, target) == {}
    assert everything(target) == everything(app.engine)


def test_encrypted_ids_are_copied_as_they_are_stored_and_once(app: App, elsewhere: Place) -> None:
    url = app.engine.url.render_as_string(hide_password=False)
    source, target = with_keys(open_engine(url), ["a key that nobody guesses, 32 and more"]), elsewhere()
    keyring = keyring_of(source.dialect)
    assert keyring is not None
    keyring.digest_key, keyring.encrypts_ids = bytes(32), True
    with writing(source) as connection:
        identities.remember(connection, "jane_doe", "77177177", app.clock.now)
        lying = connection.scalars(sa.select(sa.type_coerce(x_identity.c.handle, sa.Text))).all()
        assert any(each.startswith(ID_MARK) for each in lying)
    demand_place(source, target)
    assert copied(source, target)["x_identity"] == (len(lying), 0)
    assert copied(source, target) == {}
    source.dispose()


def test_changes_during_the_copy_are_copied_too(app: App, target: Engine) -> None:
    copied(app.engine, target)
    deliver(app, "c-late", x_user_id="509")
    with writing(app.engine) as connection:
        connection.execute(sa.delete(review_note))
        connection.execute(
            sa.update(feedback_request).values(tags=["other"]).where(feedback_request.c.agent_id == "ann")
        )
    found = copied(app.engine, target)
    assert found["review_note"] == (0, 1)
    assert found["feedback_request"] == (8, 0)
    assert found["webhook_delivery"] == (1, 0)
    assert everything(target) == everything(app.engine)


def test_at_the_end_the_name_of_the_ledger_is_handed_over(app: App, target: Engine) -> None:
    with pytest.raises(Unavailable, match="is being filled by `dm-feedback db copy`"):
        migrations.require_fitting(target)
    before = everything(app.engine)
    proven = finish(app.engine, target, every_table(), nobody)
    assert {each.name: (each.rows, each.hash) for each in proven} == before
    migrations.require_fitting(target)
    with pytest.raises(Unavailable, match="was carried over to another one"):
        migrations.require_fitting(app.engine)
    with pytest.raises(Unavailable, match="was carried over"):
        migrations.upgrade(app.engine)
    there = App(target, app.settings, app.clock)
    deliver(there, "c-first-there", x_user_id="510")  # numbers the database gives go on
    assert told(there, "c-1", x_user_id="771771771")["duplicate"] == 1


def test_nothing_starts_on_what_is_being_left_and_a_failed_end_gives_it_back(app: App, target: Engine) -> None:
    """What the source accepted after the proof would be in a ledger nobody reads any more."""

    def pull_the_plug(table: str, _rows: int) -> None:
        with pytest.raises(Unavailable, match="is being left by `dm-feedback db copy --finish`"):
            migrations.require_fitting(app.engine)
        if table == "feedback_request":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finish(app.engine, target, every_table(), pull_the_plug)
    migrations.require_fitting(app.engine)
    deliver(app, "c-late", x_user_id="509")
    demand_place(app.engine, target)
    before = everything(app.engine)
    finish(app.engine, target, every_table(), nobody)
    assert everything(target) == before


def test_an_end_that_was_killed_is_repeated(app: App, target: Engine) -> None:
    migrations.mark(app.engine, migrations.LEAVING)
    demand_place(app.engine, target)
    finish(app.engine, target, every_table(), nobody)
    migrations.require_fitting(target)
    assert migrations.current(app.engine) == migrations.MOVED


def test_a_process_that_started_last_is_found_before_the_name_is_handed_over(app: App, elsewhere: Place) -> None:
    target, now = elsewhere(), app.clock.now
    demand_place(app.engine, target)
    started = totals.Keeper(app.engine, "web", now, ProcessCounts())
    started.keep(now)
    with pytest.raises(Conflict, match="still run on the database"):
        finish(app.engine, target, every_table(), nobody, lambda _s: started.keep(now + timedelta(seconds=10)))
    migrations.require_fitting(app.engine)
    assert migrations.current(target) == migrations.COPYING


def test_what_was_carried_over_before_stays_left_behind_whatever_becomes_of_a_second_copy(
    app: App, elsewhere: Place
) -> None:
    first, second = elsewhere(), elsewhere()
    for each in (first, second):
        demand_place(app.engine, each)
    finish(app.engine, first, every_table(), nobody)

    def pull_the_plug(_table: str, _rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finish(app.engine, second, every_table(), pull_the_plug)
    assert migrations.current(app.engine) == migrations.MOVED


def test_a_copy_that_is_interrupted_goes_on(app: App, target: Engine) -> None:

    def pull_the_plug(table: str, _rows: int) -> None:
        if table == "feedback_request":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry(app.engine, target, every_table(), pull_the_plug)
    demand_place(app.engine, target)
    assert "feedback_request" not in copied(app.engine, target)
    assert everything(target) == everything(app.engine)


def test_no_json_and_null_in_json_stay_two_things(engine: Engine, elsewhere: Place) -> None:
    app, target = App(engine), elsewhere()
    app.key("analyst")
    with writing(engine) as connection:
        connection.exec_driver_sql("UPDATE api_key SET routes = NULL")
    app.key("analyst")  # as JSON this one has a null
    demand_place(engine, target)
    copied(engine, target)
    for each in (engine, target):
        with reading(each) as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM api_key WHERE routes IS NULL").scalar() == 1


def test_a_database_in_use_is_refused_and_stays_as_it_is(app: App, elsewhere: Place) -> None:
    target = elsewhere()
    deliver(App(target, app.settings, app.clock), "theirs", x_user_id="501")
    before = everything(target)
    with pytest.raises(Conflict, match=r"is in use: .*feedback_request.* hold rows") as refused:
        demand_place(app.engine, target)
    assert refused.value.code == "copy_not_empty"
    assert everything(target) == before
    migrations.require_fitting(target)


def test_another_applications_database_and_the_same_database_are_refused(app: App, unmigrated: Place) -> None:
    target = unmigrated()
    with writing(target) as connection:
        connection.exec_driver_sql("CREATE TABLE theirs (id int)")
    with pytest.raises(Conflict, match="holds another application's tables"):
        demand_place(app.engine, target)
    with pytest.raises(Conflict, match="the same database"):
        demand_place(app.engine, app.engine)


def test_running_processes_are_named_and_ended_ones_are_not(app: App) -> None:
    now = app.clock.now
    lives, ended = (totals.Keeper(app.engine, "web", now, ProcessCounts()) for _ in range(2))
    for each in (lives, ended):
        each.keep(now)
    waited: list[float] = []

    def meanwhile(seconds: float) -> None:
        waited.append(seconds)
        lives.keep(now + timedelta(seconds=10))

    with pytest.raises(Conflict, match="still run on the database") as refused:
        demand_silence(app.engine, meanwhile)
    assert refused.value.sentence.count("-p_") <= 1
    demand_silence(app.engine, waited.append)
    assert waited == [15.0, 15.0]


def test_a_row_that_somebody_changes_there_is_found_by_the_proof(app: App, target: Engine) -> None:
    copied(app.engine, target)
    with writing(target) as connection:
        connection.execute(sa.update(transition).values(actor="somebody").where(transition.c.id == 1))
    with pytest.raises(Conflict, match=r"transition: .* they are not the same"):
        list(moving.prove(app.engine, target, every_table()))


def test_the_command_says_how_far_it_is_and_what_comes_next(
    tmp_path: Path, sqlite_engine: Engine, sqlite_template: Path, unmigrated: Place
) -> None:
    cli, target = Cli(tmp_path, sqlite_engine), unmigrated()
    cli.answered("c-1", 4)
    to = target.url.render_as_string(hide_password=False)
    said = cli.says("db", "copy", "--to", to)
    assert "feedback_request: 1 row, 1 written, 0 deleted" in said
    assert "Copied: 0 rows" in cli.says("db", "copy", "--to", to)
    ended = cli.says("db", "copy", "--to", to, "--finish")
    assert "feedback_request: 1 row, sha256 sum" in ended
    assert "Write the other address into database.url" in ended
    assert cli.refuses("keys", "list")[1] == "database_copied"
    cli.write(database__url=to)
    assert "c-1" in cli.says("requests", "list")
    full = tmp_path / "full.db"
    shutil.copy(sqlite_template, full)
    assert cli.refuses("db", "copy", "--to", to)[1] == "copy_onto_itself"


def test_every_kind_of_column_travels(sqlite_engine: Engine, elsewhere: Place) -> None:
    kinds = {type(column.type).__name__ for table in metadata.sorted_tables for column in table.columns}
    known = (
        "String Text Integer BigInteger Variant Micros JSON LargeBinary Boolean Date Float"
        " Encrypted EncryptedJson EncryptedBytes KeyedDigest EncryptedId"
    )
    assert kinds <= set(known.split()), "a kind nobody has tried to carry"
    target = elsewhere()
    with writing(sqlite_engine) as connection:
        body: Any = bytes(range(256))
        row = {"id": "whd", "source": "crm", "dedupe_key": "k", "received_at": App(sqlite_engine).clock.now}
        headers = json.loads('{"a": [1, null, "\\u00fc"]}')
        connection.execute(
            sa.insert(webhook_delivery).values(**row, content_type="", headers=headers, query={}, body=body)
        )
        assert naming.name
    demand_place(sqlite_engine, target)
    copied(sqlite_engine, target)
    with reading(target) as connection:
        found = connection.execute(sa.select(webhook_delivery)).one()
    assert (found.body, found.headers) == (body, headers)


def test_thousands_of_deleted_rows_are_deleted_in_the_copy_too(app: App, target: Engine) -> None:
    many = 2 * AT_ONCE + 1
    with writing(app.engine) as connection:
        line = connection.execute(sa.select(transition).limit(1)).mappings().one()
        again = {name: value for name, value in line.items() if name != "id"}
        connection.execute(sa.insert(transition), [again] * many)
    copied(app.engine, target)
    with writing(app.engine) as connection:
        connection.execute(sa.delete(transition))
    assert copied(app.engine, target)["transition"][1] > many
    assert everything(target) == everything(app.engine)


def test_either_side_may_be_slow(elsewhere: Place) -> None:
    resting = sa.text("SELECT current_setting('idle_in_transaction_session_timeout')")
    target = elsewhere()
    with reading(target) as connection:
        assert connection.scalar(resting) == "1min"
    with moving.unhurried(target) as connection:
        assert connection.scalar(resting) == "0"
