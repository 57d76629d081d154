"""Counters add up over processes and machines: the same answer everywhere, never falling, never counted twice."""

import os
import threading
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.engine import Engine

from service.db import once_committed, reading, writing
from service.metrics import totals
from service.models import process_count
from service.results.answer import Answer
from service.results.ingest import ingest
from service.results.merge import Update
from service.telemetry.counters import METERS, PROCESS_COUNTS, ProcessCounts
from tests.floor.app import App, told
from tests.support import World, settings_of


class Process:
    """One process of those that count."""

    def __init__(self, engine: Engine, now: datetime, role: str = "worker") -> None:
        self.counts = ProcessCounts()
        self.keeper = totals.Keeper(engine, role, now, self.counts)

    def calls(self, times: int, status: str = "200") -> None:
        self.counts.add("x_calls", "GET", "/1.1/users/show.json", status, by=times)


def shown(engine: Engine, now: datetime) -> dict[tuple[str, ...], float]:
    with reading(engine) as connection:
        return {
            (sample.name.removeprefix("dm_feedback_"), *sample.labels.values()): sample.value
            for family in totals.families(connection, now)
            for sample in family.samples
        }


def fold(engine: Engine, now: datetime) -> None:
    with writing(engine) as connection:
        totals.fold(connection, now)


def calls(engine: Engine, now: datetime) -> float:
    found = shown(engine, now)
    return sum(value for (name, *_), value in found.items() if name == "x_calls_total")


def test_what_processes_counted_is_added_up(engine: Engine, now: datetime) -> None:
    one, other = Process(engine, now), Process(engine, now, "web")
    one.calls(3)
    other.calls(4)
    other.calls(1, "429")
    one.keeper.keep(now)
    other.keeper.keep(now)
    found = shown(engine, now)
    assert found["x_calls_total", "GET", "/1.1/users/show.json", "200"] == 7
    assert found["x_calls_total", "GET", "/1.1/users/show.json", "429"] == 1
    assert [value for (name, *_), value in found.items() if name == "build_info"] == [1, 1]


def test_what_a_dead_process_counted_stays_and_counts_once(engine: Engine, now: datetime) -> None:
    dead, alive = Process(engine, now), Process(engine, now)
    later = now + totals.GONE_AFTER + timedelta(minutes=1)
    for each, times in ((dead, 3), (alive, 4)):
        each.calls(times)
        each.keeper.keep(now)
    alive.keeper.keep(later)
    for _ in range(2):
        fold(engine, later)
        assert calls(engine, later) == 7
    with reading(engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(process_count)) == 2
    dead.calls(2)  # it only slept
    dead.keeper.keep(later)
    dead.keeper.keep(later)
    assert calls(engine, later) == 9


def test_a_duration_falls_into_its_bucket(engine: Engine, now: datetime) -> None:
    process = Process(engine, now)
    for seconds in (0.004, 0.005, 0.3, 99, -5):
        process.counts.observe("x_call_seconds", seconds, "GET", "/2/users/me")
    process.keeper.keep(now)
    found = shown(engine, now)
    of = ("GET", "/2/users/me")
    assert [found["x_call_seconds_bucket", *of, bound] for bound in ("0.005", "0.25", "0.5", "30", "+Inf")] == [
        3, 3, 4, 4, 5,
    ]  # fmt: skip
    assert found["x_call_seconds_count", *of] == 5
    assert found["x_call_seconds_sum", *of] == pytest.approx(99.309)


def test_a_row_of_another_release_is_left_out_where_its_shape_differs(engine: Engine, now: datetime) -> None:
    process = Process(engine, now)
    process.calls(1)
    process.keeper.keep(now)
    with writing(engine) as connection:
        odd = [["x_call_seconds", ["GET", "/"], [1, 2]], ["no_such_figure", [], [1]], ["x_calls", ["a", "b", "c"], [2]]]
        values = {"name": "other", "role": "web", "version": "9", "python": "3.99", "seen_at": now, "counts": odd}
        connection.execute(sa.insert(process_count).values(values))
    assert calls(engine, now) == 3


def test_threads_lose_no_count(now: datetime) -> None:
    counts = ProcessCounts()

    def many() -> None:
        for _ in range(2000):
            counts.add("results", "acme", "webhook")

    threads = [threading.Thread(target=many) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert counts.so_far() == {("results", ("acme", "webhook")): (8000,)}


def test_a_child_begins_with_nothing() -> None:
    PROCESS_COUNTS.add("results", "acme", "webhook")
    child = os.fork()
    if child == 0:
        os._exit(len(PROCESS_COUNTS.so_far()))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_rolled_back_count_is_not_counted(engine: Engine) -> None:
    heard: list[str] = []
    with writing(engine) as connection:
        once_committed(connection, lambda: heard.append("kept"))
        assert heard == []
    with suppress(ZeroDivisionError), writing(engine) as connection:
        once_committed(connection, lambda: heard.append("lost"))
        connection.exec_driver_sql(f"SELECT {1 // 0}")
    assert heard == ["kept"]


def test_a_conversation_is_counted_to_its_card_and_its_answer_and_no_customer_is_in_it(sqlite_engine: Engine) -> None:
    world = World(sqlite_engine, settings_of())
    world.customers({"user_id": "7717717717"})
    before = PROCESS_COUNTS.so_far()
    request_id = world.ended(x_user_id="7717717717", x_handle="jane")
    world.later(4, hours=8)
    card = world.request(request_id)
    told_at = world.clock.forward(hours=1)
    with writing(sqlite_engine) as connection:
        update = Update(told_at, 5, told_at, None, None)
        ingest(connection, Answer(request_id, "card", "show", update, card.feedback_id), told_at)
    more = {key: row for key, row in PROCESS_COUNTS.so_far().items() if row != before.get(key)}
    assert ("requests_ended", ("acme", "card_sent", "")) in more
    assert ("results", ("acme", "show")) in more
    assert {name for name, _ in more} >= {"x_calls", "x_call_seconds", "end_to_card_seconds", "card_to_answer_seconds"}
    assert not [key for key in more if "7717717717" in str(key) or "jane" in str(key)]


def test_deliveries_and_answers_are_counted_by_what_became_of_them(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    before = PROCESS_COUNTS.so_far()
    told(app, "c-1", x_user_id="7717717717")
    told(app, "c-1", x_user_id="7717717717")
    app.call("POST", "/webhooks/crm/crm", json={})
    app.call("GET", "/v1/none/7717717717")
    app.client.open("/healthz", method="BREW")
    more = {
        key: row[0] - before.get(key, (0,))[0] for key, row in PROCESS_COUNTS.so_far().items() if row != before.get(key)
    }
    assert more["deliveries", ("crm", "accepted")] == 1
    assert more["deliveries", ("crm", "duplicate")] == 1
    assert more["deliveries", ("crm", "refused")] == 1
    assert more["http_requests", ("POST", "/webhooks/crm/<source>", "200")] == 2
    assert more["http_requests", ("POST", "/webhooks/crm/<source>", "401")] == 1
    assert more["http_requests", ("GET", "other", "404")] == 1
    assert more["http_requests", ("other", "other", "405")] == 1


def test_metrics_show_the_totals_the_budgets_and_the_build(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    key = app.key("monitor")
    process = Process(sqlite_engine, app.clock.now, "web")
    process.calls(2)
    process.keeper.keep(app.clock.now)
    families = list(text_string_to_metric_families(app.call("GET", "/metrics", key).get_data(as_text=True)))
    kinds = {each.name.removeprefix("dm_feedback_"): each.type for each in families}
    assert {name: kinds[name] for name in METERS} == {
        name: "histogram" if figure.buckets else "counter" for name, figure in METERS.items()
    }
    left = next(each for each in families if each.name == "dm_feedback_sends_left")
    assert {(each.labels["kind"], each.value) for each in left.samples} == {("dm", 1000), ("card", 1000)}


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/1.1/users/show.json", "/1.1/users/show.json"),
        ("/1.1/feedback/show/998877.json", "/1.1/feedback/show/:id.json"),
        ("/2/users/by/username/jane_doe", "/2/users/by/username/:id"),
        ("/2/users/7717717717", "/2/users/:id"),
        ("/2/users/me", "/2/users/me"),
        ("/2/dm_conversations/with/7717717717/messages", "/2/dm_conversations/with/:id/messages"),
        ("/2/dm_conversations/with/7717717717/dm_events", "/2/dm_conversations/with/:id/dm_events"),
    ],
)
def test_endpoint_labels_contain_no_ids(path: str, endpoint: str) -> None:
    from service.x_api.wire import endpoint_of

    assert endpoint_of(path) == endpoint
