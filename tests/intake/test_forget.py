"""Retention of raw deliveries: what is kept, for how long, and what remains."""

import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.at_rest.unreadable import TEXT
from service.db import batch_deletion, reading, writing
from service.intake.inbox.forget import Naming, led_to_nothing, naming, too_old
from service.intake.inbox.forget import erase as erase_after
from service.models import conversation, delivery_item, reopening
from service.privacy import housekeeping
from tests.intake.app import App, ended, reopened, token_app


def bodies(app: App) -> dict[str, bool]:
    """Conversation or event -> whether the body is still there, in order of arrival."""
    rows = sorted(app.deliveries, key=lambda row: row.received_at)
    return {f"{i}": row.body is not None for i, row in enumerate(rows)}


def sent(app: App, *given: bytes) -> App:
    for body in given:
        assert app.send("token", body, {"x-name": "Fan"}).status_code == 200
        app.later(days=1)
    return app


def erase(connection: Connection, x_user_id: str, handles: Collection[str]) -> int:
    return erase_after(connection, x_user_id, handles, naming(connection, [x_user_id, *handles], datetime.now(UTC)))


def note(words: str) -> bytes:
    return json.dumps({"event": "note.added", "note": words}).encode()


def test_bodies_are_searched_however_long_it_takes_unless_everybody_waits(engine: Engine, now: datetime) -> None:
    ran = list[str]()
    sa.event.listen(engine, "before_cursor_execute", lambda _, __, statement, *___: ran.append(statement))
    with reading(engine) as connection:
        found = naming(connection, ["4477001"], now)
    with writing(engine) as connection:
        erase_after(connection, "4477001", [], found)
    assert ran.count("SET LOCAL statement_timeout = 0") == (engine.dialect.name == "postgresql")


def test_old_deliveries_lose_their_contents_and_stay_as_rows(engine: Engine, now: datetime) -> None:
    app = sent(token_app(engine, now), ended("c-1", event_id="1"), ended("c-2", event_id="2"))
    assert batch_deletion.count(engine, too_old(now + timedelta(hours=1))) == 1
    assert bodies(app) == {"0": True, "1": True}
    assert batch_deletion.forget(engine, too_old(now + timedelta(hours=1))) == 1
    assert batch_deletion.forget(engine, too_old(now + timedelta(hours=1))) == 0
    assert bodies(app) == {"0": False, "1": True}
    first = min(app.deliveries, key=lambda row: row.received_at)
    assert (first.body, first.headers, first.query) == (None, {}, {})


def test_a_pruned_delivery_is_still_known_as_a_repeat(engine: Engine, now: datetime) -> None:
    app = sent(token_app(engine, now), ended("c-1", event_id="1"))
    batch_deletion.forget(engine, too_old(app.now))
    assert app.send("token", ended("c-1", event_id="1")).get_json()["duplicate"] == 1


@pytest.mark.unpartitioned
def test_a_delivery_without_a_request_is_deleted_once_no_repeat_is_expected(engine: Engine, now: datetime) -> None:
    app = sent(token_app(engine, now), note("hello"), ended("c-1", event_id="1"), reopened("c-9"), note("later"))
    repeat = app.send("token", ended("c-1", event_id="1b"))
    assert repeat.get_json()["duplicate"] == 1, "of another delivery: it has led to the same request"
    before = now + timedelta(days=2, hours=1)
    assert batch_deletion.count(engine, led_to_nothing(before)) == 2
    assert batch_deletion.forget(engine, led_to_nothing(before)) == 2
    assert len(app.deliveries) == 3
    with reading(engine) as connection:
        items = connection.execute(sa.select(delivery_item.c.outcome, delivery_item.c.reason)).all()
        assert connection.scalar(sa.select(sa.func.count()).select_from(reopening)) == 1
    assert sorted(each.outcome for each in items) == ["accepted", "duplicate", "ignored"]
    assert batch_deletion.forget(engine, led_to_nothing(before)) == 0
    batch_deletion.forget(engine, too_old(app.now + timedelta(days=1)))
    assert app.send("token", ended("c-1", event_id="1")).get_json()["duplicate"] == 1
    assert app.send("token", note("hello")).get_json()["ignored"] == 1, "taken in anew, and ignored as before"


def test_a_pruned_body_is_sql_null(engine: Engine, now: datetime) -> None:
    sent(token_app(engine, now), ended("c-1"))
    batch_deletion.forget(engine, too_old(now + timedelta(days=2)))
    with writing(engine) as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM webhook_delivery WHERE body IS NULL")) == 1


def test_erasing_a_person_takes_every_delivery_about_their_conversations(engine: Engine, now: datetime) -> None:
    app = sent(
        token_app(engine, now),
        ended("c-1", x_user_id="12", event_id="1"),
        reopened("c-1"),
        json.dumps({"event": "note.added", "conversation_id": "c-1", "note": "private"}).encode(),
        ended("c-1", x_user_id="12", event_id="1b"),
        ended("c-2", x_handle="Acme_Fan"),
        ended("c-3", x_user_id="99"),
        ended("c-4"),
    )
    with writing(engine) as connection:
        assert erase(connection, "12", ["@acme_FAN"]) == 5
        assert erase(connection, "12", ["@acme_FAN"]) == 0
    assert list(bodies(app).values()) == [False, False, False, False, False, True, True]


def test_a_delivery_without_a_request_is_emptied_if_it_names_the_person(engine: Engine, now: datetime) -> None:
    app = sent(
        token_app(engine, now),
        note("call 4477001 back"),
        note("Write to @Jane_Doe"),
        note("somebody else"),
    )
    with writing(engine) as connection:
        assert erase(connection, "4477001", ["jane_doe", "io"]) == 2
    assert list(bodies(app).values()) == [False, False, True]


def test_a_name_is_found_in_every_charset_a_delivery_may_be_written_in(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now)
    for charset in ("utf-16", "utf-16-be", "latin-1"):
        body = json.dumps({"event": "note.added", "note": "Write to @Jane_Doe ü"}, ensure_ascii=False).encode(charset)
        app.send("token", body, {"content-type": f"application/json; charset={charset}"})
    with writing(engine) as connection:
        assert erase(connection, "4477001", ["jane_doe"]) == 3


def test_the_new_owner_of_a_handle_keeps_their_conversations(engine: Engine, now: datetime) -> None:
    sent(token_app(engine, now), ended("c-1", x_user_id="222", x_handle="bob"), reopened("c-1"))
    with writing(engine) as connection:
        erase(connection, "111", ["bob"])
        kept = [connection.scalars(sa.select(table.c.conversation_id)).all() for table in (conversation, reopening)]
    assert kept == [["c-1"], ["c-1"]]


def test_a_conversation_of_the_same_name_in_another_source_is_not_theirs(engine: Engine, now: datetime) -> None:
    sent(token_app(engine, now), ended("c-1", x_user_id="12"))
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE webhook_delivery SET source = 'other'"))
        connection.execute(sa.text("UPDATE delivery_item SET request_id = NULL"))
        connection.execute(sa.text("UPDATE feedback_request SET delivery_id = 'gone'"))
    with writing(engine) as connection:
        assert erase(connection, "12", []) == 0


def test_erasing_removes_the_conversation_ids_of_that_person_only(engine: Engine, now: datetime) -> None:
    app = sent(
        token_app(engine, now),
        ended("c-1", x_user_id="12", event_id="1"),
        reopened("c-1"),
        ended("c-2", x_user_id="99"),
        reopened("c-2"),
    )
    with writing(engine) as connection:
        erase(connection, "12", [])
        said = set(connection.scalars(sa.select(delivery_item.c.conversation_id)))
        kept = {
            table.name: connection.scalars(sa.select(table.c.conversation_id)).all()
            for table in (conversation, reopening)
        }
    assert said == {None, "c-2"}
    assert kept == {"conversation": ["c-2"], "reopening": ["c-2"]}
    assert not any("c-1" in str(row) for row in app.deliveries)


def test_a_repeat_of_an_erased_delivery_brings_nothing_back(engine: Engine, now: datetime) -> None:
    app = sent(token_app(engine, now), ended("c-1", x_user_id="12", event_id="1"))
    with writing(engine) as connection:
        erase(connection, "12", [])
    assert app.send("token", ended("c-1", x_user_id="12", event_id="1")).get_json()["duplicate"] == 1
    assert bodies(app) == {"0": False}


def test_a_repeat_without_id_and_time_brings_nothing_back_either(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now, map={"ended_at": "received", "event_id": ""})
    for name, person in (("c-1", "12"), ("c-2", "99")):
        app.send("token", ended(name, x_user_id=person))
        app.later(minutes=1)
        assert app.send("token", ended(name, x_user_id=person)).get_json()["duplicate"] == 1
    with writing(engine) as connection:
        assert erase(connection, "12", []) == 2
        assert erase(connection, "12", []) == 0
    app.later(days=1)
    for _ in range(2):
        assert app.send("token", ended("c-1", x_user_id="12")).get_json() == {
            "accepted": 0, "duplicate": 1, "ignored": 0, "unmappable": 0,
        }  # fmt: skip
    assert len(app.requests) == 2
    assert "c-1" not in str([app.deliveries, app.items])
    assert app.send("token", ended("c-3", x_user_id="7")).get_json()["accepted"] == 1


def test_deliveries_arriving_during_the_search_are_searched_too(
    engine: Engine, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = sent(token_app(engine, now), note("call 4477001 back"), note("somebody else"))
    read_under_the_lock: list[str] = []

    @contextmanager
    def late(engine: Engine) -> Iterator[Connection]:
        """Nothing is locked yet: one more comes, and then the transaction that erases begins."""
        app.send("token", note("4477001 called again"))
        with writing(engine) as connection:
            sa.event.listen(connection, "before_cursor_execute", lambda *told: read_under_the_lock.append(told[2]))
            yield connection

    monkeypatch.setattr(housekeeping, "writing", late)
    counts = housekeeping.erase(engine, app.settings, "4477001", by="test", now=app.now)
    assert counts["deliveries"] == 2
    assert list(bodies(app).values()) == [False, True, False]
    bodies_read = [
        each for each in read_under_the_lock if each.startswith("SELECT") and "webhook_delivery.body" in each
    ]
    assert bodies_read
    assert all("received_at >=" in each or "webhook_delivery.id IN" in each for each in bodies_read)


def test_deliveries_in_flight_during_the_search_are_searched_after_it(engine: Engine, now: datetime) -> None:
    """Committed after the look, with the time at which it came: before it."""
    app = token_app(engine, now)
    with reading(engine) as connection:
        found = naming(connection, ["4477001"], now + timedelta(minutes=59))
    app.send("token", note("call 4477001 back"))
    with writing(engine) as connection:
        assert erase_after(connection, "4477001", [], found) == 1


def test_a_name_learnt_after_the_search_is_searched_everywhere(engine: Engine, now: datetime) -> None:
    sent(token_app(engine, now), note("Write to @Jane_Doe"))
    found = Naming(frozenset({"4477001"}), frozenset(), 0, now + timedelta(days=1))
    with writing(engine) as connection:
        assert erase_after(connection, "4477001", ["jane_doe"], found) == 1


def test_two_unreadable_values_do_not_match(engine: Engine, now: datetime) -> None:
    app = sent(token_app(engine, now), note(f"Somebody wrote {TEXT}"))
    with writing(engine) as connection:
        assert erase(connection, "4477001", [TEXT]) == 0
    assert bodies(app) == {"0": True}


def test_a_delivery_naming_an_erased_person_is_recognised_for_good(engine: Engine, now: datetime) -> None:
    app = sent(token_app(engine, now), note("call 4477001 back"), note("somebody else"))
    with writing(engine) as connection:
        assert erase(connection, "4477001", []) == 1
    assert batch_deletion.forget(engine, led_to_nothing(now + timedelta(days=300))) == 1
    app.later(days=300)
    assert app.send("token", note("call 4477001 back")).get_json()["duplicate"] == 1
    assert len(app.deliveries) == 1
