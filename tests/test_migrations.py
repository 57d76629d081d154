"""Migrations make what the models say, survive an interruption, and refuse unknown revisions."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from service import migrations
from service.db import open_engine, reading, table_locks, writing
from service.errors import Conflict, Unavailable
from service.models import feedback_request, metadata, naming, schema_floor
from tests.postgresql import address_of, on_server
from tests.schema_steps import Schema, inspected, taken
from tests.support import START, request_row


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database of each kind without a single table."""
    if request.param == "sqlite":
        engine = open_engine(f"sqlite:///{tmp_path}/empty.db")
        yield engine
        engine.dispose()
        return
    server = request.getfixturevalue("postgresql_server")
    name = f"empty_{request.node.name.encode().hex()[-20:]}"
    on_server(server, f'CREATE DATABASE "{name}"')
    engine = open_engine(address_of(server, name))
    yield engine
    engine.dispose()
    on_server(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def tables(engine: Engine) -> set[str]:
    with reading(engine) as connection:
        return set(sa.inspect(connection).get_table_names())


DELIVERY = {"id": "d-{}", "source": "crm", "received_at": 1, "content_type": "", "headers": "{{}}", "query": "{{}}"}
REQUEST = {
    "id": "r-{}", "source": "crm", "account": "acme", "conversation_id": "{}", "ended_at": 1, "received_at": 1,
    "delivery_id": "d-{}", "identity_trust": "bridge", "tags": "[]", "test": False, "state": "skipped", "attempts": 0,
    "scheduled_at": 1, "can_dm_asked": 0, "updated_at": 1, "card_dm_id": "of {}",
}  # fmt: skip
ITEM = {"delivery_id": "d-{}", "reading": 0, "position": 0, "read_at": 1, "outcome": "accepted", "request_id": "r-{}"}
OF = {"conversation_id": "of {}"}
CARD = {"request_id": "r-{}", "feedback_id": "card of {}", "x_updated_at": 1}
FIRST_REVISION_ROWS: dict[str, dict[str, Any]] = {
    "webhook_delivery": {**DELIVERY, "dedupe_key": "msg-{}:ab"},
    "conversation": {"source": "crm", "seen_at": 1, **OF},
    "reopening": {"source": "crm", "reopened_at": 1, "delivery_id": "d-{}", **OF},
    "feedback_request": REQUEST,
    "delivery_item": {**ITEM, **OF},
    "review_note": {"request_id": "r-{}", "at": 1, "author": "sue", "text": "of {}"},
    "result": {**CARD, "first_seen_at": 1, "first_channel": "show", "update_count": 1, "anomalies": 0, "updated_at": 1},
    "result_update": {**CARD, "digest": "{}", "channel": "show", "seen_at": 1, "verdict": "applied"},
    "refresh": {"request_id": "r-{}", "feedback_id": "card of {}", "account": "acme", "checks": 1},
}
OURS = {table.name for table in metadata.sorted_tables} | {"alembic_version"}


def test_models_and_migrations_agree(engine: Engine) -> None:
    with reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def indexes(engine: Engine) -> set[str]:
    """Every index as the database itself writes it, conditions and order of columns included."""
    query = {
        "sqlite": "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
        "postgresql": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'",
    }[engine.dialect.name]
    with reading(engine) as connection:
        found = [str(row) for row in connection.exec_driver_sql(query).scalars() if "alembic_version" not in row]
    return {" ".join(each.replace('"', "").split()) for each in found}


def test_models_and_migrations_make_the_same_indexes(empty: Engine) -> None:
    with writing(empty) as connection:
        metadata.create_all(connection)
    by_models = indexes(empty)
    with writing(empty) as connection:
        metadata.drop_all(connection)
    assert indexes(empty) == set()
    migrations.upgrade(empty)
    assert indexes(empty) == by_models
    assert any(" WHERE " in each for each in by_models), "partial ones are among them"


def test_an_empty_database_becomes_ours_and_a_second_upgrade_changes_nothing(empty: Engine) -> None:
    assert migrations.current(empty) is None
    assert migrations.upgrade(empty) == migrations.head() == migrations.current(empty)
    assert tables(empty) == OURS
    before = indexes(empty)
    assert migrations.upgrade(empty) == migrations.head()
    assert indexes(empty) == before
    migrations.require_fitting(empty)


@pytest.mark.parametrize("statements", [1, 12, 40])
def test_an_interrupted_upgrade_leaves_nothing_and_is_completed_later(empty: Engine, statements: int) -> None:
    left = statements

    def die(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal left
        left -= statement.lstrip().startswith("CREATE")
        if left < 0:
            raise KeyboardInterrupt

    event.listen(empty, "before_cursor_execute", die)
    with pytest.raises(KeyboardInterrupt):
        migrations.upgrade(empty)
    event.remove(empty, "before_cursor_execute", die)
    assert tables(empty) == set()
    assert migrations.upgrade(empty) == migrations.current(empty)
    assert tables(empty) == OURS


def test_two_upgrades_at_once_wait_for_each_other(empty: Engine) -> None:
    done: list[str] = []
    together = threading.Barrier(3)

    def upgrade() -> None:
        together.wait()
        done.append(migrations.upgrade(empty))

    threads = [threading.Thread(target=upgrade) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert done == [migrations.head()] * 3
    assert tables(empty) == OURS


IN_POSTGRESQL = pytest.mark.parametrize("empty", ["postgresql"], indirect=True)


@IN_POSTGRESQL
def test_an_upgrade_does_not_wait_for_an_export_with_everybody_behind_it(
    empty: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    _upgrade_to(empty, "0042")
    monkeypatch.setattr(table_locks, "TRIES", 1)
    with reading(empty) as export:
        export.exec_driver_sql("SELECT count(*) FROM feedback_request")
        with pytest.raises(Conflict) as caught:
            migrations.upgrade(empty)
    assert caught.value.code == "table_busy"
    assert migrations.current(empty) == "0042"
    assert migrations.upgrade(empty) == migrations.head()


@IN_POSTGRESQL
def test_an_upgrade_continues_when_the_export_has_ended(empty: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_locks, "REST_S", 0)
    _upgrade_to(empty, "0042")
    with ExitStack() as export:
        connection = export.enter_context(reading(empty))
        connection.exec_driver_sql("SELECT count(*) FROM feedback_request")
        event.listen(empty, "handle_error", lambda _: export.close())
        assert migrations.upgrade(empty) == migrations.head()


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_hold_every_language_is_refused(postgresql_server: str, encoding: str) -> None:
    name = f"narrow_{encoding.lower()}_{os.getpid()}"
    like = f"ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
    on_server(postgresql_server, f'CREATE DATABASE "{name}" {like}')
    engine = open_engine(address_of(postgresql_server, name))
    with pytest.raises(Unavailable) as caught:
        migrations.upgrade(engine)
    engine.dispose()
    on_server(postgresql_server, f'DROP DATABASE "{name}" WITH (FORCE)')
    assert caught.value.code == "database_encoding"
    assert f"encoding is {encoding}: make one with ENCODING 'UTF8'" in caught.value.sentence


def test_rows_survive_an_upgrade(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.exec_driver_sql("INSERT INTO worker_seen VALUES ('w', 1, 1)")
    migrations.upgrade(engine)
    with reading(engine) as connection:
        assert connection.exec_driver_sql("SELECT name FROM worker_seen").scalar() == "w"


def test_the_second_revision_removes_traces_of_erased_people(empty: Engine) -> None:
    _upgrade_to(empty, "0001")
    with writing(empty) as connection:
        for name in ("jane", "john"):
            for table, row in FIRST_REVISION_ROWS.items():
                values = {key: each.format(name) if isinstance(each, str) else each for key, each in row.items()}
                columns, marks = ", ".join(values), ", ".join(f":{key}" for key in values)
                connection.execute(sa.text(f"INSERT INTO {table} ({columns}) VALUES ({marks})"), values)
        connection.exec_driver_sql("UPDATE feedback_request SET erased_at = 1 WHERE id = 'r-jane'")
    migrations.upgrade(empty)
    with reading(empty) as connection:
        for query in (
            "SELECT conversation_id FROM conversation",
            "SELECT conversation_id FROM reopening",
            "SELECT conversation_id FROM delivery_item WHERE conversation_id IS NOT NULL",
            "SELECT text FROM review_note",
            "SELECT card_dm_id FROM feedback_request WHERE card_dm_id IS NOT NULL",
        ):
            assert connection.exec_driver_sql(query).scalars().all() == ["of john"], query
        keys = set(connection.exec_driver_sql("SELECT dedupe_key FROM webhook_delivery").scalars())
        for table in ("result", "result_update", "refresh"):
            ids = connection.exec_driver_sql(f"SELECT feedback_id FROM {table} ORDER BY request_id").scalars().all()
            assert (ids[0][0], len(ids[0]), ids[1]) == ("e", 23, "card of john")
    assert keys == {sha256(b"msg-jane:ab").hexdigest(), sha256(b"msg-john:ab").hexdigest()}


@pytest.mark.parametrize(
    ("before", "revision", "state", "reason"),
    [("0043", "0044", "skipped", "cannot_dm"), ("0044", "0045", "failed", "refused")],
)
def test_whoever_may_still_answer_is_hidden_in_a_filled_ledger_too(
    empty: Engine, before: str, revision: str, state: str, reason: str
) -> None:
    _upgrade_to(empty, before)
    ended = [("new", state, reason), ("named", state, reason), ("other", "skipped", "cooldown")]
    rows = [
        request_row(START, conversation_id=f"c-{n}", agent_id=agent, state=became, reason=why, sealed=n)
        for n, (agent, became, why) in enumerate(ended, 1)
    ]
    with writing(empty) as connection:
        connection.execute(sa.insert(feedback_request), rows)
        connection.execute(
            sa.insert(naming).values(account="acme", kind="agent", name="named", named_at=START, readable_at=START)
        )
    _upgrade_to(empty, revision)
    with reading(empty) as connection:
        assert set(connection.scalars(sa.select(naming.c.name))) == {"new", "named"}
        told = dict(connection.execute(sa.select(feedback_request.c.agent_id, feedback_request.c.sealed)).all())
    assert told == {"new": None, "named": 2, "other": 3}, "mirrors hear of rows that say less than they did"


def _upgrade_to(engine: Engine, revision: str) -> None:
    with writing(engine) as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def refused(engine: Engine) -> Unavailable:
    with pytest.raises(Unavailable) as caught:
        migrations.require_fitting(engine)
    return caught.value


def test_a_schema_that_is_behind_says_how_to_upgrade(empty: Engine) -> None:
    assert refused(empty).code == {"sqlite": "no_database", "postgresql": "schema_behind"}[empty.dialect.name]
    assert "`dm-feedback db upgrade`" in refused(empty).sentence


def is_now(engine: Engine, revision: str, *, floor: str | None = None) -> None:
    """A version of the day after tomorrow was here."""
    with writing(engine) as connection:
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")
        if floor is not None:
            connection.execute(sa.update(schema_floor).values(revision=floor))


def test_a_schema_too_new_for_this_code_is_left_alone(engine: Engine) -> None:
    is_now(engine, "9999", floor="9998")
    assert refused(engine).code == "schema_ahead"
    assert "9999" in refused(engine).sentence
    with pytest.raises(Unavailable) as caught:
        migrations.upgrade(engine)
    assert caught.value.code == "schema_ahead"
    assert migrations.current(engine) == "9999"


def test_a_newer_compatible_schema_is_used_and_left_alone(engine: Engine) -> None:
    is_now(engine, "9999")
    migrations.require_fitting(engine)
    assert migrations.upgrade(engine) == migrations.current(engine) == "9999"


def test_the_database_of_another_program_is_refused_by_its_name(empty: Engine) -> None:
    """Alembic's table is every program's that uses Alembic, and names such as `session` are many's."""
    with writing(empty) as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('a1b2c3d4e5f6')")
    assert refused(empty).code == "database_of_others"
    with pytest.raises(Unavailable, match="a1b2c3d4e5f6 of another program: make one of our own"):
        migrations.upgrade(empty)


def test_tables_of_others_under_our_names_are_refused_by_their_names(empty: Engine) -> None:
    with writing(empty) as connection:
        connection.exec_driver_sql("CREATE TABLE session (id INTEGER)")
        connection.exec_driver_sql("CREATE TABLE of_nobody (id INTEGER)")
    with pytest.raises(Unavailable, match=r"under names of ours \(session\): make one of our own"):
        migrations.upgrade(empty)
    assert tables(empty) == {"session", "of_nobody"}


# -- before and after


def form(module: Any) -> str:
    """A revision that says nothing is one before."""
    return getattr(module, "form", "before")


REVISIONS = [each.module for each in ScriptDirectory.from_config(migrations._config()).walk_revisions()][::-1]
TAKEN_FOR_A_REASON = {
    "0012": {"result_update must be unique by digest, request_id, way now"},  # by digest and card before: one a request
}


def steps(engine: Engine) -> Iterator[tuple[Any, list[str]]]:
    """Every revision, and what it took from code that ran before it."""
    before: Schema = {}
    for module in REVISIONS:
        _upgrade_to(engine, module.revision)
        with reading(engine) as connection:
            after = inspected(connection)
        yield module, list(taken(before, after))
        before = after


def test_a_file_begins_with_its_revision() -> None:
    """Processes that only ask for the newest read the names, and import no revision for it."""
    assert [each.revision for each in REVISIONS] == sorted(migrations._known())
    assert migrations.head() == REVISIONS[-1].revision


def test_released_revisions_take_nothing_from_running_code(empty: Engine) -> None:
    for module, lost in steps(empty):
        wrong = set(lost) - TAKEN_FOR_A_REASON.get(module.revision, set())
        assert form(module) == "after" or not wrong, f"{module.revision} is no `before`: {sorted(wrong)}"


def test_a_revision_after_takes_only_what_no_released_code_uses() -> None:
    """One release stops using a thing, the next takes it away, so that two neighbours always run side by side."""
    released = set(migrations.RELEASED.values())
    assert [each.revision for each in REVISIONS if form(each) not in {"before", "after"}] == []
    assert [each.revision for each in REVISIONS if (form(each) == "after") != hasattr(each, "unused_since")] == []
    assert [each.revision for each in REVISIONS if getattr(each, "unused_since", None) not in {None, *released}] == []


def test_the_floor_is_the_newest_incompatible_revision(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with reading(engine) as connection:
        assert connection.scalar(sa.select(schema_floor.c.revision)) == migrations.floor() == migrations.FIRST_TO_LOOK
    for module, since in zip(REVISIONS[-2:], ("0024", "0023"), strict=True):
        monkeypatch.setattr(module, "unused_since", since, raising=False)
    monkeypatch.setattr(ScriptDirectory, "walk_revisions", lambda _: iter(map(Script, REVISIONS)))
    assert migrations.floor() == "0024"


class Script:
    """What Alembic shows of a revision."""

    def __init__(self, module: Any) -> None:
        self.module, self.revision = module, module.revision


TAKES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a table": (lambda op: op.drop_table("probe"), "the table probe is gone"),
    "a column": (lambda op: op.drop_column("review_note", "author"), "review_note.author is gone"),
    "a name": (
        lambda op: op.alter_column("review_note", "author", new_column_name="by"), "review_note.author is gone",
    ),
    "an empty value": (
        lambda op: op.alter_column("session", "address", nullable=False, existing_type=sa.String(45)),
        "session.address must be given now",
    ),
    "room": (
        lambda op: op.alter_column("session", "address", type_=sa.String(15), existing_type=sa.String(45)),
        "session.address holds less or something else",
    ),
    "a column it does not know": (
        lambda op: op.add_column("probe", sa.Column("by", sa.String(9), nullable=False)),
        "probe.by is new and has no value of its own",
    ),
    "a key of ON CONFLICT": (
        lambda op: op.drop_index("ix_access_log_number", table_name="access_log"),
        "access_log is not unique by number any more, which ON CONFLICT may name",
    ),
    "a second alike": (
        lambda op: op.create_index("ix_probe_at", "probe", ["at"], unique=True), "probe must be unique by at now",
    ),
    "a row that leads nowhere": (
        lambda op: op.create_foreign_key("fk_note", "review_note", "worker_seen", ["author"], ["name"]),
        "review_note.author must lead to a row of worker_seen now",
    ),
}  # fmt: skip
GIVES: dict[str, Callable[[Any], Any]] = {
    "a table": lambda op: op.create_table("new", sa.Column("id", sa.Integer(), primary_key=True)),
    "a column that may be empty": lambda op: op.add_column("probe", sa.Column("by", sa.String(9), nullable=True)),
    "a column with a value": lambda op: op.add_column(
        "probe", sa.Column("by", sa.String(9), nullable=False, server_default="us")
    ),
    "an index": lambda op: op.create_index("ix_probe_at", "probe", ["at"]),
    "more room": lambda op: op.alter_column("session", "address", type_=sa.Text(), existing_type=sa.String(45)),
    "leave to be empty": lambda op: op.alter_column("probe", "at", nullable=True, existing_type=sa.BigInteger()),
}


class Op:
    """Alembic's operations, by a copy of the table where SQLite cannot change it in place."""

    def __init__(self, connection: Connection) -> None:
        self._op = Operations(MigrationContext.configure(connection))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._op, name)

    def alter_column(self, table: str, name: str, **how: Any) -> None:
        with self._op.batch_alter_table(table) as batch:
            batch.alter_column(name, **how)

    def add_column(self, table: str, column: sa.Column[Any]) -> None:
        with self._op.batch_alter_table(table) as batch:
            batch.add_column(column)

    def create_foreign_key(self, name: str, table: str, other: str, columns: list[str], theirs: list[str]) -> None:
        with self._op.batch_alter_table(table) as batch:
            batch.create_foreign_key(name, other, columns, theirs)


def lost_by(engine: Engine, step: Callable[[Any], Any]) -> list[str]:
    with writing(engine) as connection:
        before = inspected(connection)
        step(Op(connection))
        return list(taken(before, inspected(connection)))


@pytest.mark.parametrize("name", TAKES)
def test_incompatible_changes_are_found(engine: Engine, name: str) -> None:
    step, sentence = TAKES[name]
    assert sentence in lost_by(engine, step)


@pytest.mark.parametrize("name", GIVES)
def test_additions_are_allowed(engine: Engine, name: str) -> None:
    assert lost_by(engine, GIVES[name]) == []


def test_the_second_revision_can_be_downgraded(engine: Engine) -> None:
    there = indexes(engine)
    with writing(engine) as connection:
        config = migrations._config()
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
    assert indexes(engine) != there
    migrations.upgrade(engine)
    assert indexes(engine) == there
