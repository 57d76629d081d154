"""One ended conversation, one row: duplicates, reopenings and every order of arrival, on both databases."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db import open_engine, writing
from service.errors import Unavailable
from service.intake.definition.tables import Definition
from service.intake.delivery.inbound import Inbound
from service.intake.inbox.accept import AcceptedDelivery, arrive
from service.intake.inbox.group import commit
from service.intake.inbox.replay import replay
from service.intake.mapping.readings import read
from service.intake.verify.verifier import Verified
from service.models import conversation, reopening, webhook_delivery
from tests.intake.app import App, define, ended, post, reopened, token_app

FIRST, LATER, SECOND = "2026-11-22T10:00:00Z", "2026-11-22T10:30:00Z", "2026-11-22T11:00:00Z"
ZERO = {"accepted": 0, "duplicate": 0, "ignored": 0, "unmappable": 0}


def send(app: App, body: bytes, **headers: str) -> dict[str, int]:
    response = app.send("token", body, headers)
    assert response.status_code == 200
    return response.get_json()


def stored(engine: Engine, definition: Definition, inbound: Inbound, now: datetime) -> AcceptedDelivery:
    """A verified delivery, stored by itself. Raises what its answer would be made of."""
    readings = read(definition, inbound, now)
    [outcome] = commit(engine, [arrive(definition, inbound, Verified(0, "static"), readings, now)])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def test_an_ended_conversation_becomes_one_request_and_the_raw_delivery_stays(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now, language="de")
    body = ended("c-1", FIRST, event_id="e1", x_user_id="12", agent_id="a", tags=["x"], odd="ü")
    assert send(app, body, **{"x-trace": "7"}) == {**ZERO, "accepted": 1}
    delivery, request, item = app.deliveries[0], app.requests[0], app.items[0]
    assert delivery.body == body
    assert delivery.headers["x-trace"] == "7"
    assert delivery.received_at == now
    assert delivery.key_index == 0
    assert (request.delivery_id, request.conversation_id, request.language) == (delivery.id, "c-1", "de")
    assert (item.request_id, item.outcome, item.reading, item.position) == (request.id, "accepted", 0, 0)


def test_the_same_delivery_again_costs_no_write(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now)
    send(app, ended(event_id="e1"))
    app.later(seconds=60)
    before = [app.deliveries, app.items, app.requests, seen_at(app)]
    assert send(app, ended(event_id="e1")) == {**ZERO, "duplicate": 1}
    assert [app.deliveries, app.items, app.requests, seen_at(app)] == before


def test_the_same_delivery_to_another_source_is_another_one(engine: Engine, now: datetime) -> None:
    for definition in (define("token"), replace(define("token"), name="other")):
        inbound = post(json.loads(ended()))
        taken = stored(engine, definition, inbound, now)
        assert taken.counts == {**ZERO, "accepted": 1}


def test_an_end_told_again_in_another_delivery_is_a_duplicate(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now)
    send(app, ended("c-1", FIRST, event_id="e1"))
    assert send(app, ended("c-1", FIRST, event_id="e2")) == {**ZERO, "duplicate": 1}
    assert send(app, ended("c-1", SECOND, event_id="e3")) == {**ZERO, "duplicate": 1}
    assert len(app.requests) == 1
    assert [item.reason for item in app.items] == [None, "same_end", "same_conversation"]
    assert {item.request_id for item in app.items} == {app.requests[0].id}


def test_a_conversation_that_was_reopened_can_end_again(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now)
    send(app, ended("c-1", FIRST))
    assert send(app, reopened("c-1", LATER)) == {**ZERO, "accepted": 1}
    assert send(app, ended("c-1", SECOND)) == {**ZERO, "accepted": 1}
    assert len(app.requests) == 2


def test_the_same_reopening_twice_is_a_duplicate(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now)
    send(app, reopened("c-1", LATER, event_id="r1"))
    assert send(app, reopened("c-1", LATER, event_id="r2")) == {**ZERO, "duplicate": 1}
    assert len(app.reopenings) == 1


def test_identical_bytes_with_another_id_after_a_reopening_are_a_new_end(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now)
    send(app, ended("c-1", FIRST), **{"idempotency-key": "run-1"})
    send(app, reopened("c-1", LATER))
    assert send(app, ended("c-1", SECOND), **{"idempotency-key": "run-2"}) == {**ZERO, "accepted": 1}


EVENTS = {
    "first": ended("c-1", FIRST, event_id="1"),
    "first again": ended("c-1", FIRST, event_id="1b"),
    "reopened": reopened("c-1", LATER, event_id="2"),
    "second": ended("c-1", SECOND, event_id="3"),
    "second again, two seconds later": ended("c-1", "2026-11-22T11:00:02Z", event_id="3b"),
}


def test_two_ends_around_a_reopening_are_two_in_every_order_and_repeats_add_none(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now)
    orders = list(itertools.permutations(EVENTS))
    for number, order in enumerate(orders):
        for name in order:
            send(app, EVENTS[name].replace(b"c-1", b"conversation-%d" % number))
        app.later(seconds=1)
    found: dict[str, list[str]] = {}
    for row in sorted(app.requests, key=lambda each: each.ended_at):
        found.setdefault(row.conversation_id, []).append(row.ended_at.strftime("%H:%M:%S"))
    assert len(found) == len(orders)
    assert {tuple(each) for each in found.values()} == {("10:00:00", "11:00:00"), ("10:00:00", "11:00:02")}


def test_a_reopening_after_two_ends_does_not_part_them(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now)
    send(app, ended("c-1", FIRST))
    send(app, ended("c-1", LATER))
    send(app, reopened("c-1", SECOND))
    assert ends(app) == [FIRST]


def test_a_late_reopening_adds_a_reading_to_the_end_it_accepts(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now)
    send(app, EVENTS["first"])
    send(app, EVENTS["second"])
    assert len(app.requests) == 1
    send(app, EVENTS["reopened"])
    late = app.items[-1]
    assert (late.outcome, late.reason, late.reading) == ("accepted", "late_reopening", 1)
    second = next(row for row in app.requests if row.id == late.request_id)
    assert second.delivery_id == late.delivery_id
    assert second.received_at == now


def test_a_late_reopening_cannot_accept_an_end_whose_body_is_gone(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now)
    send(app, EVENTS["first"])
    send(app, EVENTS["second"])
    with engine.begin() as connection:
        connection.execute(sa.update(webhook_delivery).values(body=None))
    send(app, EVENTS["reopened"])
    assert len(app.requests) == 1


def test_an_end_that_cannot_be_read_any_more_keeps_no_later_one_out(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now)
    for name in ("first", "second", "second again, two seconds later"):
        send(app, EVENTS[name])
    with engine.begin() as connection:
        unread = sa.update(webhook_delivery).where(webhook_delivery.c.id == app.items[1].delivery_id)
        connection.execute(unread.values(body=b"{}"))
    send(app, EVENTS["reopened"])
    assert ends(app) == [FIRST, "2026-11-22T11:00:02Z"]


def test_a_reopening_before_the_first_end_makes_nothing_new(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now)
    send(app, reopened("c-1", "2026-11-22T09:00:00Z"))
    send(app, ended("c-1", FIRST))
    send(app, ended("c-1", SECOND))
    assert len(app.requests) == 1


@pytest.mark.parametrize(("gap", "rows"), [(timedelta(hours=12), 1), (timedelta(hours=12, seconds=1), 2)])
@pytest.mark.parametrize("backwards", [False, True])
def test_without_reopenings_an_end_long_after_the_last_is_new(
    gap: timedelta, rows: int, backwards: bool, engine: Engine, now: datetime
) -> None:
    app = token_app(engine, now, events={"reopened": ""})
    times = [now - timedelta(days=2), now - timedelta(days=2) + gap]
    for moment in reversed(times) if backwards else times:
        send(app, ended("c-1", moment.isoformat()))
    assert len(app.requests) == rows


def test_the_time_after_which_an_end_is_new_is_a_setting(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now, events={"again_after": "10m"})
    send(app, ended("c-1", FIRST))
    assert send(app, ended("c-1", SECOND)) == {**ZERO, "accepted": 1}


def test_identical_bytes_without_id_and_time_are_judged_by_the_conversation(engine: Engine, now: datetime) -> None:
    """Freshdesk's simple form: resolved, reopened, resolved again, word for word the same."""
    app = token_app(engine, now, map={"ended_at": "received", "reopened_at": "received", "event_id": ""})
    same_end, same_reopening = ended("c-1", ""), reopened("c-1", "")
    assert send(app, same_end)["accepted"] == 1
    app.later(minutes=5)
    assert send(app, same_end)["duplicate"] == 1  # the sender repeated itself
    app.later(days=20)
    assert send(app, same_reopening)["accepted"] == 1
    app.later(minutes=5)
    assert send(app, same_end)["accepted"] == 1
    assert len(app.requests) == 2


def test_a_batch_is_stored_as_a_whole_and_its_order_does_not_matter(engine: Engine, now: datetime) -> None:
    events = [json.loads(EVENTS[name]) for name in ("second", "first again", "reopened", "first")]
    app = token_app(engine, now, events={"split": "@"})
    assert send(app, json.dumps([*events, {"event": "note"}, {**events[0], "conversation_id": ""}]).encode()) == {
        "accepted": 3, "duplicate": 1, "ignored": 1, "unmappable": 1, "reasons": ["no_conversation_id"],
    }  # fmt: skip
    assert ends(app) == [FIRST, SECOND]
    assert [item.position for item in app.items] == [0, 1, 2, 3, 4, 5]
    assert len(app.deliveries) == 1


def test_a_batch_of_a_hundred_conversations_is_stored(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now, events={"split": "@"})
    events = [json.loads(ended(f"c-{i}", FIRST, event_id=str(i) * 40)) for i in range(100)]
    assert send(app, json.dumps(events).encode())["accepted"] == 100
    assert send(app, json.dumps(events).encode())["duplicate"] == 100


def test_ignored_and_unmappable_deliveries_are_kept_raw(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now)
    assert send(app, b'{"event": "other"}') == {**ZERO, "ignored": 1}
    app.later(seconds=1)
    assert send(app, b"{broken") == {**ZERO, "unmappable": 1, "reasons": ["not_json"]}
    assert [each.body for each in app.deliveries] == [b'{"event": "other"}', b"{broken"]
    assert app.requests == []
    assert "character" in app.items[1].detail


def test_notes_are_kept_for_people_and_hold_no_values(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now)
    send(app, ended(x_user_id="somebody's secret"))
    assert app.items[0].outcome == "accepted"
    assert "x_user_id" in app.items[0].detail
    assert "secret" not in app.items[0].detail


@pytest.mark.parametrize("senders", [8])
def test_many_web_processes_at_once_insert_one_row(senders: int, engine: Engine, now: datetime) -> None:
    definition = define("token")

    def one(number: int) -> dict[str, int]:
        at = (now - timedelta(seconds=100 + number % 3)).isoformat()
        inbound = post(json.loads(ended("c-1", at, event_id=f"e{number}")))
        return stored(engine, definition, inbound, now).counts

    with ThreadPoolExecutor(senders) as pool:
        counts = list(pool.map(one, range(senders * 3)))
    assert sum(each["accepted"] for each in counts) == 1
    assert sum(each["duplicate"] for each in counts) == senders * 3 - 1


def test_the_same_delivery_at_once_is_stored_once(engine: Engine, now: datetime) -> None:
    definition = define("token")
    inbound = post(json.loads(ended("c-1", FIRST)))

    def one(_: int) -> bool:
        return stored(engine, definition, inbound, now).duplicate

    with ThreadPoolExecutor(8) as pool:
        repeated = list(pool.map(one, range(16)))
    assert sorted(repeated) == [False] + [True] * 15


def test_batches_that_cross_each_other_do_not_deadlock(engine: Engine, now: datetime) -> None:
    definition = define("token", events={"split": "@"})

    def one(number: int) -> int:
        ids = [f"c-{i}" for i in range(20)]
        order = ids if number % 2 else ids[::-1]
        inbound = post([json.loads(ended(each, FIRST, event_id=f"{number}-{each}")) for each in order])
        return stored(engine, definition, inbound, now).counts["accepted"]

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(one, range(12))) == 20


def test_conversations_are_locked_in_the_order_of_their_names(engine: Engine, now: datetime) -> None:
    """Two batches that lock in different orders would wait for each other for ever."""
    locked: list[str] = []

    def watch(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO conversation"):
            rows = json.loads(parameters[0])
            locked.extend(row["v1"] if isinstance(row, dict) else row[1] for row in rows)

    sa.event.listen(engine, "before_cursor_execute", watch)
    app = token_app(engine, now, events={"split": "@"})
    names = [f"c-{i:02}" for i in range(20)]
    send(app, json.dumps([json.loads(ended(name, FIRST)) for name in reversed(names)]).encode())
    assert locked == names


@pytest.mark.parametrize("broken", ["reopening", "delivery_item", "feedback_request"])
def test_a_database_that_fails_midway_keeps_nothing_and_asks_for_a_repeat(
    broken: str, engine: Engine, now: datetime
) -> None:
    app = token_app(engine, now, events={"split": "@"})
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {broken} RENAME TO away")
    body = json.dumps([json.loads(EVENTS[name]) for name in ("first", "reopened", "second")]).encode()
    response = app.send("token", body)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "30"
    assert response.get_json()["code"] == "store_unavailable"
    assert app.deliveries == []
    with engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE away RENAME TO {broken}")
        assert connection.scalar(sa.select(sa.func.count()).select_from(conversation)) == 0
    assert app.send("token", body).get_json()["accepted"] == 3


def test_a_database_that_is_locked_for_long_is_unavailable(sqlite_url: str, now: datetime) -> None:
    engine, other = open_engine(sqlite_url), open_engine(sqlite_url)
    sa.event.listen(engine, "connect", lambda dbapi, _: dbapi.execute("PRAGMA busy_timeout=50"))
    inbound, definition = post(json.loads(ended())), define("token")
    with writing(other), pytest.raises(Unavailable):
        stored(engine, definition, inbound, now)
    engine.dispose()
    other.dispose()


def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path, now: datetime) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/empty.db")
    inbound, definition = post(json.loads(ended())), define("token")
    with pytest.raises(Unavailable) as caught:
        stored(engine, definition, inbound, now)
    assert caught.value.headers == {"Retry-After": "30"}
    engine.dispose()


def ends(app: App) -> list[str]:
    return sorted(row.ended_at.isoformat().replace("+00:00", "Z") for row in app.requests)


def seen_at(app: App) -> list[Any]:
    with app.engine.connect() as connection:
        return list(connection.execute(sa.select(conversation)).all())


def test_a_reopening_whose_time_is_ours_counts_even_if_our_clock_was_set_back(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now)
    assert app.send("token", ended("c-1", at=now.isoformat()), {}).status_code == 200
    app.now = now - timedelta(hours=1)
    assert app.send("token", reopened("c-1", at=(now + timedelta(minutes=5)).isoformat()), {}).status_code == 200
    with engine.connect() as connection:
        assert connection.scalar(sa.select(reopening.c.reopened_at)) == now


def test_an_end_whose_time_is_ours_counts_after_the_reopening_that_another_clock_told(
    engine: Engine, now: datetime
) -> None:
    """Two machines, of which the second is 90 s behind: the CRM's clock is ahead of both."""
    app = token_app(engine, now)
    ahead = (now + timedelta(minutes=5)).isoformat()
    assert send(app, ended("c-1", at=(now - timedelta(minutes=10)).isoformat()))["accepted"] == 1
    assert send(app, reopened("c-1", at=ahead))["accepted"] == 1
    app.now = now - timedelta(seconds=90)
    assert send(app, ended("c-1", at=ahead))["accepted"] == 1
    first, second = sorted(app.requests, key=lambda row: row.ended_at)
    assert (first.ended_at, second.ended_at) == (now - timedelta(minutes=10), now + timedelta(microseconds=1))
    assert app.items[-1].ended_at == second.ended_at
    app.later(seconds=10)
    assert send(app, ended("c-1", at=(now + timedelta(minutes=6)).isoformat()))["duplicate"] == 1


def test_a_replayed_end_is_not_moved_behind_a_reopening(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now, map={"ended_at": "received"})
    send(app, ended("c-1"))
    app.later(seconds=60)
    send(app, reopened("c-1", at=app.now.isoformat()))
    again = replace(define("token", map={"ended_at": "received"}), name="token")
    assert replay(engine, again, app.deliveries[0].id, app.now).duplicate == 1
    assert len(app.requests) == 1


def test_a_replayed_reopening_stays_before_the_ends_that_came_after_it(engine: Engine, now: datetime) -> None:
    """The CRM's clock is ahead of ours, so the reopening was dated by its arrival."""
    app = token_app(engine, now)
    send(app, ended("c-1", at=app.now.isoformat()))
    app.later(minutes=30)
    send(app, reopened("c-1", at=(app.now + timedelta(seconds=2)).isoformat()))
    for minutes in (30, 10):  # it ends again, and that is told twice
        app.later(minutes=minutes)
        send(app, ended("c-1", at=app.now.isoformat()))
    app.later(days=1)
    assert replay(engine, replace(define("token"), name="token"), app.deliveries[1].id, app.now).reopened == 0
    assert len(app.requests) == 2


def test_a_replayed_reopening_that_was_placed_after_an_end_is_no_second_one_before_it(
    engine: Engine, now: datetime
) -> None:
    """The machine that the end came to has a clock ahead; the end is told again with a time before."""
    app = token_app(engine, now, map={"reopened_at": "received"})
    app.later(seconds=5)
    send(app, ended("c-1", at=app.now.isoformat()))
    app.later(seconds=-3)
    send(app, reopened("c-1", at=app.now.isoformat()))
    app.later(seconds=1)
    assert send(app, ended("c-1", at=now.isoformat()))["duplicate"] == 1
    again = replace(define("token", map={"reopened_at": "received"}), name="token")
    assert replay(engine, again, app.reopenings[0].delivery_id, app.now).reopened == 0
    assert len(app.requests) == 1


def test_two_groups_lock_shared_conversations_before_judging(engine: Engine, now: datetime) -> None:
    """By rounds of their own: {b}, then {a, b}, and {a}, then {a, b}: each would hold what the other waits for."""
    locked: list[list[str]] = []

    def watch(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.startswith("INSERT INTO conversation"):
            rows = json.loads(parameters[0])
            locked.append([row["v1"] if isinstance(row, dict) else row[1] for row in rows])

    definition = define("token", events={"split": "@"})
    group = []
    for names in (["b"], ["b", "a"]):
        inbound = post([json.loads(ended(name, FIRST, event_id="".join(names))) for name in names])
        group.append(arrive(definition, inbound, Verified(0, "static"), read(definition, inbound, now), now))
    sa.event.listen(engine, "before_cursor_execute", watch)
    commit(engine, group)
    assert locked == [["a", "b"]]


def test_the_first_end_of_a_conversation_keeps_its_place(engine: Engine, now: datetime) -> None:
    """Reopened by the time it is stored: it is open, and its reopening must go on saying so."""
    app = token_app(engine, now, map={"ended_at": "received"})
    send(app, reopened("c-1", at=(now + timedelta(seconds=1)).isoformat()))
    send(app, ended("c-1"))
    [request] = app.requests
    assert request.ended_at == now
