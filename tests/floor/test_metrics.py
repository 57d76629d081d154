"""/metrics: Prometheus reads it, both databases count the same, and no customer is in it."""

import socket
import urllib.request
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.engine import Engine
from structlog.testing import capture_logs

from service.accounts import holds, standing, task_leases
from service.accounts.holds import Hold
from service.db import open_engine, writing
from service.ids import new_id
from service.metrics import gauges, prometheus, totals
from service.models import (
    delivery_item,
    feedback_request,
    poll_window,
    process_count,
    refresh,
    result,
    result_update,
    send_attempt,
    stray_feedback,
    webhook_delivery,
    worker_seen,
)
from service.sources import call_counts, sweeps, waiting
from service.sources import holds as source_standing
from service.telemetry.counters import METERS, ProcessCounts
from tests.floor.app import App
from tests.support import request_row, settings_of

CUSTOMER = "7717717717"
LOG = "dm_feedback_sqlite_log_bytes"
NOTHING_YET = {
    ("access_log_number",): 0,
    ("access_log_unsealed",): 0,
    ("workers_seen",): 0,
    ("sends_left", "acme", "dm"): 1000,
    ("sends_left", "acme", "card"): 1000,
}


@pytest.fixture
def app(sqlite_engine: Engine) -> App:
    return populated(sqlite_engine)


def populated(engine: Engine) -> App:
    built = App(engine)
    populate(built)
    return built


def populate(app: App) -> None:
    now = app.clock.now
    ids = {}
    with writing(app.engine) as connection:
        rows = [
            ("due", "received", None, 120),
            ("walking", "dm_sent", None, 60),
            ("later", "received", None, -600),
            ("asked", "card_sent", None, 600),
            ("skipped", "skipped", "cooldown", 600),
            ("old", "skipped", "cooldown", 90_000),
        ]
        for name, state, reason, seconds in rows:
            at = now - timedelta(seconds=seconds)
            row = request_row(
                at, conversation_id=f"secret-{name}", x_user_id=CUSTOMER, x_handle="jane", state=state, reason=reason
            )
            connection.execute(sa.insert(feedback_request).values(row))
            ids[name] = row["id"]
        for name, kind, outcome, hours in [
            ("asked", "dm", "sent", 1),
            ("asked", "card", "sent", 1),
            ("walking", "dm", None, 1),
            ("skipped", "dm", "not_sent", 1),
            ("old", "dm", "sent", 25),
        ]:
            at = now - timedelta(hours=hours)
            values = {"id": new_id("sa", at), "request_id": ids[name], "account": "acme", "x_user_id": CUSTOMER}
            connection.execute(sa.insert(send_attempt).values(**values, kind=kind, intended_at=at, outcome=outcome))
        standing.enrol(connection, ["acme"], now)
        holds.hold(connection, "acme", Hold(None, "held_by_hand"), now)
        source_standing.enrol(connection, ["crm"], now)
        source_standing.hold(connection, "crm", "refused_401", now)
        sweeps.enrol(connection, ["crm"], now - timedelta(hours=2))
        sweeps.enrol(connection, ["nobody-reads-it"], now - timedelta(days=2))
        waiting.want(connection, ids["later"], "crm", "hash-of-jane", now)
        for days in (0, 0, 9):
            call_counts.count(connection, "crm", "found", now - timedelta(days=days))
        delivery = {
            "id": "whd",
            "source": "crm",
            "dedupe_key": "k",
            "received_at": now,
            "content_type": "",
            "headers": {},
        }
        connection.execute(sa.insert(webhook_delivery).values(**delivery, query={}, body=b"jane"))
        for position, outcome in enumerate(["accepted", "accepted", "duplicate"]):
            item = {"delivery_id": "whd", "reading": 0, "position": position, "read_at": now, "outcome": outcome}
            connection.execute(sa.insert(delivery_item).values(**item, conversation_id="secret-item"))
        answer = {
            "request_id": ids["asked"],
            "feedback_id": "9",
            "score": 5,
            "text": "Jane was kind",
            "first_channel": "show",
        }
        times = dict.fromkeys(("x_updated_at", "first_seen_at", "updated_at", "score_at", "text_at"), now)
        connection.execute(sa.insert(result).values(**answer, **times, update_count=1, anomalies=1))
        window = {"account": "acme", "from_time": now - timedelta(hours=6), "to_time": now, "pages": 1, "events": 9}
        connection.execute(sa.insert(poll_window).values(**window, found_missing=4, unreadable=3))
        before = {**window, "from_time": now - timedelta(hours=12), "to_time": window["from_time"], "done_at": now}
        connection.execute(sa.insert(poll_window).values(**before, found_missing=1, unreadable=2))
        for digest, channel, seconds, told in [
            ("a", "show", 60, {"score": 5}),
            ("b", "events", 60, {"text": "Jane was kind"}),
            ("c", "webhook", 60, {"score": 5}),
            ("d", "events", 60, {}),
            ("e", "events", 90_000, {"score": 5}),
        ]:
            update = {"feedback_id": "9", "request_id": ids["asked"], "digest": digest, "x_updated_at": now}
            seen = {"seen_at": now - timedelta(seconds=seconds), "channel": channel, "verdict": "applied"}
            connection.execute(sa.insert(result_update).values(**update, **seen, **told))
        task_leases.set_moment(connection, "acme", "webhook", now - timedelta(seconds=300))
        task_leases.set_moment(connection, "acme", "poll", now)
        for name, seconds in (("asked", 40), ("skipped", 50), ("later", -50)):
            debt = {"request_id": ids[name], "account": "acme", "feedback_id": name, "checks": 0}
            connection.execute(sa.insert(refresh).values(**debt, due_at=now - timedelta(seconds=seconds)))
        for feedback_id, seconds in (("77", 60), ("78", 90_000)):
            seen = {"first_seen_at": now - timedelta(seconds=seconds), "channel": "events"}
            connection.execute(sa.insert(stray_feedback).values(feedback_id=feedback_id, account="acme", **seen))
        for name, seconds in (("w1", 5), ("w2", 59), ("w3", 61)):
            seen = now - timedelta(seconds=seconds)
            connection.execute(sa.insert(worker_seen).values(name=name, started_at=seen, seen_at=seen))


def scraped(app: App) -> str:
    answer = app.call("GET", "/metrics", app.key("monitor"))
    assert answer.status_code == 200
    assert answer.mimetype == "text/plain"
    return str(answer.get_data(as_text=True))


def parsed(text: str) -> dict[tuple[str, ...], float]:
    """Every figure but the size of SQLite's log, which is another each time."""
    return {
        (sample.name.removeprefix("dm_feedback_"), *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if family.name != LOG
    }


@pytest.mark.unpartitioned
def test_prometheus_reads_every_figure_and_they_are_right(engine: Engine) -> None:
    assert parsed(scraped(populated(engine))) == {
        ("requests_open", "acme", "received"): 2,
        ("requests_open", "acme", "dm_sent"): 1,
        ("requests_ended_day", "acme", "", "card_sent"): 1,
        ("requests_ended_day", "acme", "cooldown", "skipped"): 1,
        ("oldest_due_seconds", "acme"): 120,
        ("sends_unclear", "acme", "dm"): 1,
        ("sends_day", "acme", "dm"): 2,
        ("sends_day", "acme", "card"): 1,
        ("account_held", "acme", "held_by_hand"): 1,
        ("source_held", "refused_401", "crm"): 1,
        ("look_ups_waiting", "crm"): 1,
        ("look_ups_day", "found", "crm"): 2,
        ("sweep_behind_seconds", "crm"): 7200,
        ("deliveries_day", "accepted"): 2,
        ("deliveries_day", "duplicate"): 1,
        ("results_day", "show"): 1,
        ("webhook_missed", "acme"): 2,
        ("webhook_silent_seconds", "acme"): 300,
        ("events_behind_seconds", "acme"): 6 * 3600,
        ("events_unreadable", "acme"): 5,
        ("refresh_due", "acme"): 2,
        ("refresh_oldest_due_seconds", "acme"): 50,
        ("anomalies_day", "acme"): 1,
        ("strays_day", "acme"): 1,
        ("sends_left", "acme", "dm"): 998,
        ("sends_left", "acme", "card"): 999,
        ("access_log_number",): 0,
        ("access_log_unsealed",): 0,
        ("workers_seen",): 2,
    }


def test_every_figure_has_a_help_text_and_a_type(app: App) -> None:
    families = list(text_string_to_metric_families(scraped(app)))
    named = {
        *(each.name for each in gauges.GAUGES),
        *METERS,
        "sends_day",
        "sends_left",
        "build_info",
        "sqlite_log_bytes",
    }
    assert {family.name for family in families} == {f"dm_feedback_{name}" for name in named}
    assert all(family.documentation.endswith(".") for family in families)


def test_the_size_of_the_log_is_a_figure_of_sqlite_alone(engine: Engine) -> None:
    families = text_string_to_metric_families(scraped(App(engine)))
    sizes = [sample.value for family in families if family.name == LOG for sample in family.samples]
    assert [size > 0 for size in sizes] == [True] * (engine.dialect.name == "sqlite")


def test_no_customer_is_in_it(app: App) -> None:
    text = scraped(app)
    for never in (CUSTOMER, "jane", "Jane", "secret-", "fr_", "whd"):
        assert never not in text


@pytest.mark.unpartitioned
def test_an_empty_database_can_be_read_too(engine: Engine) -> None:
    assert parsed(scraped(App(engine))) == NOTHING_YET


def test_prometheus_brings_a_key(app: App) -> None:
    assert app.refused(401, "GET", "/metrics") == "key_missing"


def test_the_figures_are_of_all_accounts_and_so_must_be_the_key(app: App) -> None:
    assert app.refused(403, "GET", "/metrics", app.key("admin", "acme")) == "whole_service_only"


def test_a_database_that_is_away_is_said_so(sqlite_engine: Engine) -> None:
    app = App(open_engine("postgresql://nobody@127.0.0.1:1/nothing"))
    assert app.refused(503, "GET", "/metrics", "dmf_0.0") == "database_away"


def test_accounts_removed_from_all_settings_are_not_reported(engine: Engine) -> None:
    """An account that X suspended for good, and was taken out, would page somebody for ever."""
    app = App(engine)
    now = app.clock.now
    with writing(engine) as connection:
        standing.enrol(connection, ["acme", "gone", "elsewhere"], now)
        source_standing.enrol(connection, ["gone_crm"], now)
        source_standing.hold(connection, "gone_crm", "refused_401", now)
        for name in ("acme", "gone", "elsewhere"):
            holds.hold(connection, name, Hold(326, "account_locked"), now)
    totals.Keeper(engine, "worker", now, ProcessCounts(), serves=["accounts.elsewhere"]).keep(now)
    assert held(app) == {"acme", "elsewhere"}
    app.clock.forward(minutes=2)
    assert held(app) == {"acme"}, "the other process is gone"
    unknowing = {"name": "w", "role": "web", "version": "0", "python": "3", "seen_at": app.clock.now, "counts": []}
    with writing(engine) as connection:
        connection.execute(sa.insert(process_count).values(unknowing))
    assert held(app) == {"acme", "gone", "elsewhere", "gone_crm"}, "one that does not say may serve anybody"


def test_an_account_that_may_not_read_events_has_no_lag(engine: Engine) -> None:
    """It asks by page alone: X answers 453 to feedback/events for ever."""
    app = App(engine)
    now = app.clock.now
    window = {"account": "acme", "from_time": now - timedelta(days=3), "to_time": now - timedelta(days=2)}
    with writing(engine) as connection:
        counts = dict.fromkeys(("pages", "events", "found_missing", "unreadable"), 0)
        connection.execute(sa.insert(poll_window).values(**window, **counts))
    assert ("events_behind_seconds", "acme") not in parsed(scraped(app))
    with writing(engine) as connection:
        row = request_row(now, state="card_sent")
        connection.execute(sa.insert(feedback_request).values(row))
        debt = {"request_id": row["id"], "account": "acme", "feedback_id": "9", "checks": 0, "due_at": now}
        connection.execute(sa.insert(refresh).values(debt))
    assert parsed(scraped(app))["events_behind_seconds", "acme"] == 3 * 86400


def held(app: App) -> set[str]:
    names = {"account_held": 1, "source_held": 2}  # where each stands among its labels
    return {labels[names[labels[0]]] for labels in parsed(scraped(app)) if labels[0] in names}


def test_a_worker_beside_another_with_the_same_port_works_without_it(app: App) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, capture_logs() as said:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        prometheus.serve(settings_of(worker__metrics_bind=bind), app.engine)
    assert [(line["event"], line["bind"]) for line in said] == [("worker_metrics_not_served", bind)]


def test_a_worker_serves_them_on_a_port_of_its_own(app: App) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    prometheus.serve(settings_of(), app.engine)
    prometheus.serve(settings_of(worker__metrics_bind=f"127.0.0.1:{port}"), app.engine)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=120) as answer:
        found: dict[Any, float] = parsed(answer.read().decode())
    assert found["requests_open", "acme", "received"] == 2
