"""Each alert fires on what /metrics says in its trouble, and none otherwise; dashboards ask for existing figures.

Prometheus' own tool decides; without it (Debian: prometheus) the tests say so.
"""

import json
import math
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.engine import Connection, Engine

from service.accounts import holds, standing, task_leases
from service.accounts.holds import Hold
from service.db import reading, writing
from service.ids import new_id
from service.metrics import totals
from service.metrics.attention import ATTENTION_FROM
from service.metrics.overview import overview
from service.models import (
    access_log,
    account_state,
    encryption,
    feedback_request,
    look_up,
    poll_window,
    process_count,
    refresh,
    result_update,
    retention_run,
    send_attempt,
    source_sweep,
    worker_seen,
)
from service.sources import call_counts, sweeps, waiting
from service.sources import holds as source_holds
from service.telemetry.counters import ProcessCounts
from tests.floor.app import App
from tests.support import OTHER, request_row, settings_of

DEPLOY = Path(__file__).parents[1] / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD = DEPLOY / "grafana" / "dm-feedback.json"
NAMED = re.compile(r"dm_feedback_[a-z_]+")
WELL, TROUBLE = 60, 180  # minutes of each
ROUTE = "/webhooks/crm/<source>"

promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool comes with Debian's prometheus")


class Place:
    """A service that is well, until a trouble is put into it."""

    def __init__(self, engine: Engine) -> None:
        self.app = App(engine, settings_of(accounts__acme__cards_per_day=51))
        self.key = self.app.key("monitor")
        self.now = self.app.clock.now
        self.counts = ProcessCounts()
        self.keeper = totals.Keeper(engine, "web", self.now, self.counts)
        self.counts.observe("http_request_seconds", 0.01, "POST", ROUTE)
        self.keeper.keep(self.now)
        with writing(engine) as connection:
            standing.enrol(connection, ["acme"], self.now)
            task_leases.set_moment(connection, "acme", "webhook", self.now)
            seen = {"name": "w1", "started_at": self.now, "seen_at": self.now}
            connection.execute(sa.insert(worker_seen).values(seen))

    def ago(self, **span: float) -> Any:
        return self.now - timedelta(**span)

    def request(self, connection: Connection, **columns: Any) -> str:
        row = request_row(self.ago(hours=1), **columns)
        connection.execute(sa.insert(feedback_request).values(row))
        return str(row["id"])

    def scraped(self) -> dict[str, float]:
        self.keeper.keep(self.now)
        text = self.app.call("GET", "/metrics", self.key).get_data(as_text=True)
        return {
            f"{sample.name}{{{','.join(f'{name}={json.dumps(value)}' for name, value in sample.labels.items())}}}": (
                sample.value
            )
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


def no_worker(place: Place, connection: Connection) -> None:
    connection.execute(sa.delete(worker_seen))


def held(place: Place, connection: Connection) -> None:
    holds.hold(connection, "acme", Hold(326, "account_locked"), place.now)


def source_held(place: Place, connection: Connection) -> None:
    source_holds.enrol(connection, ["crm"], place.now)
    source_holds.hold(connection, "crm", "refused_401", place.now)


def crm_away(place: Place, connection: Connection) -> None:
    source_holds.enrol(connection, ["crm"], place.now)
    source_holds.went_away(connection, "crm", place.ago(minutes=40))
    waiting.want(connection, place.request(connection), "crm", None, place.now)


def nobody_found(place: Place, connection: Connection) -> None:
    source_holds.enrol(connection, ["crm"], place.now)
    call_counts.count(connection, "crm", "nobody", place.now, by=21)


def crm_silent(place: Place, connection: Connection) -> None:
    source_holds.enrol(connection, ["crm"], place.now)
    call_counts.count(connection, "crm", call_counts.SWEPT, place.now, by=21)


def sweep_behind(place: Place, connection: Connection) -> None:
    sweeps.enrol(connection, ["crm"], place.ago(hours=7))
    connection.execute(sa.update(source_sweep).values(due_at=place.now))


def x_away(place: Place, connection: Connection) -> None:
    connection.execute(sa.update(account_state).values(x_away_since=place.ago(minutes=20)))


def backlog(place: Place, connection: Connection) -> None:
    place.request(connection, state="received", scheduled_at=place.ago(hours=1))


def budget_low(place: Place, connection: Connection) -> None:
    for number in (1, 2):
        request_id = place.request(connection, conversation_id=f"c-{number}", state="card_sent")
        at = place.ago(hours=1)
        sent = {"id": new_id("sa", at), "request_id": request_id, "account": "acme", "x_user_id": "501"}
        connection.execute(sa.insert(send_attempt).values(**sent, kind="card", intended_at=at, outcome="sent"))


def events_behind(place: Place, connection: Connection) -> None:
    window = {"account": "acme", "from_time": place.ago(days=3), "to_time": place.ago(days=2), "done_at": place.now}
    connection.execute(sa.insert(poll_window).values(**window, pages=1, events=0, found_missing=0, unreadable=0))


def webhook_misses(place: Place, connection: Connection) -> None:
    request_id = place.request(connection, state="card_sent")
    task_leases.set_moment(connection, "acme", "webhook", place.ago(hours=2))
    for number in range(11):
        told = {"digest": str(number), "x_updated_at": place.now, "seen_at": place.now, "channel": "events"}
        update = {"request_id": request_id, "feedback_id": "9", "verdict": "applied", "score": 5, **told}
        connection.execute(sa.insert(result_update).values(update))


def refresh_behind(place: Place, connection: Connection) -> None:
    debt = {"request_id": place.request(connection, state="card_sent"), "account": "acme", "feedback_id": "9"}
    connection.execute(sa.insert(refresh).values(**debt, checks=0, due_at=place.ago(hours=7)))


def unsealed(place: Place, connection: Connection) -> None:
    line = {"at": place.now, "actor": "ana", "action": "results.list", "detail": {}}
    connection.execute(sa.insert(access_log), [line] * 1001)


def kept_too_long(place: Place, connection: Connection) -> None:
    connection.execute(sa.insert(retention_run).values(kind="texts", finished_at=place.ago(hours=7), rows=3))


def moved_values(place: Place, connection: Connection) -> None:
    row = {"id": 1, "key_id": "1a2b3c4d", "digest_key": "00", "begun_at": place.ago(hours=2), "refused": 1}
    connection.execute(sa.insert(encryption).values(**row, finished_at=place.now))


def mixed_builds(place: Place, connection: Connection) -> None:
    other = {"name": "other", "role": "web", "version": "0.0.1", "python": "3.11.0", "seen_at": place.now}
    connection.execute(sa.insert(process_count).values(**other, counts=[]))


def counting(name: str, *labels: str, by: int) -> Callable[[Place, Connection], None]:
    return lambda place, _connection: place.counts.add(name, *labels, by=by)


def slow(place: Place, _connection: Connection) -> None:
    for _ in range(100):
        place.counts.observe("http_request_seconds", 6.0, "POST", ROUTE)


def long_reader(place: Place, _connection: Connection) -> None:
    """As SQLite's log is after it; what is behind the last whole page of it is not read."""
    log = Path(f"{place.app.engine.url.database}-wal")
    os.truncate(log, 300 * 1024 * 1024)


OF_SQLITE = {"DmFeedbackLogGrows"}
TROUBLES: dict[str, Callable[[Place, Connection], None]] = {
    "DmFeedbackNoWorker": no_worker,
    "DmFeedbackAccountHeld": held,
    "DmFeedbackSourceHeld": source_held,
    "DmFeedbackCrmAway": crm_away,
    "DmFeedbackNobodyFound": nobody_found,
    "DmFeedbackCrmSilent": crm_silent,
    "DmFeedbackSweepBehind": sweep_behind,
    "DmFeedbackXAway": x_away,
    "DmFeedbackBacklog": backlog,
    "DmFeedbackOutcomeUnknown": counting("requests_ended", "acme", "unknown", "", by=1),
    "DmFeedbackBudgetLow": budget_low,
    "DmFeedbackEventsBehind": events_behind,
    "DmFeedbackWebhookMisses": webhook_misses,
    "DmFeedbackRefreshBehind": refresh_behind,
    "DmFeedbackDeliveriesRefused": counting("deliveries", "crm", "refused", by=11),
    "DmFeedbackDeliveriesNotStored": counting("deliveries", "crm", "not_stored", by=1),
    "DmFeedbackDeliveriesUnreadable": counting("deliveries", "crm", "unmappable", by=1),
    "DmFeedbackValuesMoved": moved_values,
    "DmFeedbackValuesUnreadable": counting("unreadable_values", "result.text", by=1),
    "DmFeedbackServerErrors": counting("http_requests", "GET", "/v1/summary", "500", by=6),
    "DmFeedbackIntakeSlow": slow,
    "DmFeedbackAccessLogUnsealed": unsealed,
    "DmFeedbackKeptTooLong": kept_too_long,
    "DmFeedbackMixedBuilds": mixed_builds,
    "DmFeedbackLogGrows": long_reader,
    "DmFeedbackReplicaNotRead": counting("replica_reads", "away", by=11),
}


def case(alert: str, well: dict[str, float], trouble: dict[str, float]) -> dict[str, Any]:
    """An hour in which all is well, then three with the trouble; the alert fires in these and nothing in the first.

    Scraped each minute; looked at every five, as nothing changes in between.
    """
    series = [
        {"series": name, "values": f"{_for(well.get(name), WELL)} {_for(trouble.get(name), TROUBLE)}"}
        for name in sorted(well.keys() | trouble.keys())
    ]
    fired = f'count(max_over_time(ALERTS{{alertname="{alert}",alertstate="firing"}}[{TROUBLE}m])) > bool 0'
    quiet = f'count(max_over_time(ALERTS{{alertstate="firing"}}[{WELL}m]))'
    return {
        "name": alert,
        "interval": "1m",
        "input_series": series,
        "promql_expr_test": [
            {"expr": quiet, "eval_time": f"{WELL - 1}m", "exp_samples": []},
            {"expr": fired, "eval_time": f"{WELL + TROUBLE - 1}m", "exp_samples": [{"labels": "{}", "value": 1}]},
        ],
    }


def _for(value: float | None, minutes: int) -> str:
    return f"_x{minutes}" if value is None else f"{value:g}+0x{minutes - 1}"


def alerts() -> set[str]:
    [group] = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    return {each["alert"] for each in group["rules"]}


def test_the_overview_and_the_alerts_have_the_same_thresholds() -> None:
    [group] = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    said = {
        figure: math.prod(map(int, limit.split(" * ")))
        for rule in group["rules"]
        for figure, limit in re.findall(r"dm_feedback_([a-z_]+)(?:\{[^}]*\})?\) [<>] (\d+(?: \* \d+)*)", rule["expr"])
    }
    assert {figure: said.get(figure) for figure in ATTENTION_FROM} == ATTENTION_FROM


def test_a_crm_that_knows_nobody_at_all_needs_a_hand(sqlite_engine: Engine) -> None:
    """A wrong address answers 404 to everything, which is what a CRM says of a customer it does not know."""
    place = Place(sqlite_engine)
    told = []
    for outcome, by in (("nobody", 20), ("nobody", 1), ("found", 1)):
        with writing(place.app.engine) as connection:
            call_counts.count(connection, "crm", outcome, place.now, by=by)
            said = overview(connection, place.app.settings, place.now).needs_a_hand
        told.append([each for each in said if "found none of" in each])
    assert [len(each) for each in told] == [0, 1, 0]
    assert "none of 21 customers" in told[1][0]


def test_a_crm_that_answers_nothing_for_long_is_told_while_anybody_waits(sqlite_engine: Engine) -> None:
    """Each who waits is lost when it is stale, so half a day of answers 400 or 500 must not pass in silence."""
    place = Place(sqlite_engine)

    def told() -> list[str]:
        with reading(place.app.engine) as connection:
            said = overview(connection, place.app.settings, place.now).needs_a_hand
        return [each for each in said if "in its CRM have failed for" in each]

    with writing(place.app.engine) as connection:
        crm_away(place, connection)
    [sentence] = told()
    assert "for 40 min, 1 conversation waiting" in sentence
    with writing(place.app.engine) as connection:
        connection.execute(sa.delete(look_up))
    assert told() == []


def test_an_account_in_no_workers_settings_is_told_before_its_backlog(engine: Engine) -> None:
    """A second machine with older settings: deliveries are taken in, a worker lives, and nobody is asked."""
    place = Place(engine)

    def told() -> list[str]:
        with reading(engine) as connection:
            return [each for each in overview(connection, place.app.settings, place.now).needs_a_hand if "acme" in each]

    with writing(engine) as connection:
        backlog(place, connection)
    assert "more workers" in told()[0], "none has said yet whom it serves"
    totals.Keeper(engine, "worker", place.now, ProcessCounts(), serves=["accounts.other"]).keep(place.now)
    [only] = told()
    assert "acme: no running worker has it in its settings" in only
    totals.Keeper(engine, "worker", place.now, ProcessCounts(), serves=["accounts.acme"]).keep(place.now)
    assert "more workers" in told()[0]


def test_the_last_day_is_that_of_all_accounts_and_sends_nobody_knows_of_are_told(engine: Engine) -> None:
    app = App(engine, settings_of(accounts__other=OTHER, sources__crm__account="acme"))
    ended = {"state": "unknown", "reason": "unclear_send", "outcome_at": app.clock.now}
    with writing(engine) as connection:
        for number, account in enumerate(("acme", "acme", "other")):
            row = request_row(app.clock.now, account=account, conversation_id=f"c-{number}", **ended)
            connection.execute(sa.insert(feedback_request).values(row))
        found = overview(connection, app.settings, app.clock.now)
    assert found.day["requests"] == {"unknown unclear_send": 3}
    assert "It is unknown whether 3 messages arrived" in str(found.needs_a_hand)


def test_a_log_that_somebody_keeps_from_being_emptied_is_told(sqlite_engine: Engine) -> None:
    place = Place(sqlite_engine)
    with writing(sqlite_engine) as connection:
        long_reader(place, connection)
    with reading(sqlite_engine) as connection:
        said = overview(connection, place.app.settings, place.now).needs_a_hand
    assert "The log beside the ledger (FILE-wal) holds 300 MB" in str(said)


def test_every_alert_has_a_trouble_that_must_make_it_fire_and_says_what_to_do() -> None:
    [group] = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    assert alerts() == {*TROUBLES, "DmFeedbackNotSeen"}
    assert all({"summary", "what_to_do"} == set(each["annotations"]) for each in group["rules"])
    assert {each["labels"]["severity"] for each in group["rules"]} == {"page", "ticket", "info"}


@promtool
def test_each_alert_fires_when_its_trouble_is_there_and_none_while_all_is_well(
    make_engine: Callable[[], Engine], tmp_path: Path
) -> None:
    cases = []
    for alert, trouble in TROUBLES.items():
        place = Place(make_engine())
        if alert in OF_SQLITE and place.app.engine.dialect.name != "sqlite":
            continue
        well = place.scraped()
        with writing(place.app.engine) as connection:
            trouble(place, connection)
        cases.append(case(alert, well, place.scraped()))
    cases.append(case("DmFeedbackNotSeen", well, {}))
    file = tmp_path / "cases.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": "5m", "tests": cases}), "utf-8")
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@promtool
def test_a_scrape_that_failed_makes_nothing_fire_for_what_was_counted_before(
    sqlite_engine: Engine, tmp_path: Path
) -> None:
    """Each restart may cost one, and a page hours after nothing happened."""
    place = Place(sqlite_engine)
    [group] = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    counted = [each["alert"] for each in group["rules"] if "present_over_time" in each["expr"]]
    assert len(counted) == 7
    with writing(sqlite_engine) as connection:
        for alert in counted:
            TROUBLES[alert](place, connection)
    series = [
        {"series": name, "values": f"{value:g}+0x{2 * WELL} stale _x2 {value:g}+0x{2 * WELL}"}
        for name, value in place.scraped().items()
    ]
    quiet = f'count by (alertname) (max_over_time(ALERTS{{alertstate="firing"}}[{2 * WELL}m]))'
    looked = [{"expr": quiet, "eval_time": f"{4 * WELL}m", "exp_samples": []}]
    tests = [{"interval": "1m", "input_series": series, "promql_expr_test": looked}]
    file = tmp_path / "cases.yml"
    file.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests}), "utf-8")
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@promtool
def test_promtool_accepts_the_rules() -> None:
    for words in (["rules", str(ALERTS)], ["config", "--syntax-only", str(ALERTS.parent / "prometheus.yml")]):
        done = subprocess.run(["promtool", "check", *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def asked_for(value: Any) -> Iterator[str]:
    """Every expression of a dashboard, wherever it stands."""
    if isinstance(value, dict):
        yield from (each for name, each in value.items() if name in {"expr", "query"} and isinstance(each, str))
        for each in value.values():
            yield from asked_for(each)
    elif isinstance(value, list):
        for each in value:
            yield from asked_for(each)


def test_alerts_and_dashboards_use_existing_metrics_only(sqlite_engine: Engine) -> None:
    place = Place(sqlite_engine)
    text = place.app.call("GET", "/metrics", place.key).get_data(as_text=True)
    there = set()
    for family in text_string_to_metric_families(text):
        ends = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(family.type, [""])
        there |= {f"{family.name}{end}" for end in ends}
    [group] = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    expressions = [*(each["expr"] for each in group["rules"]), *asked_for(json.loads(DASHBOARD.read_text("utf-8")))]
    named = set(NAMED.findall(" ".join(expressions)))
    assert named - there == set()
    assert len(expressions) > 30


@pytest.fixture
def make_engine(sqlite_template: Path, tmp_path: Path) -> Iterator[Callable[[], Engine]]:
    """A new and migrated database at every call."""
    from service.db import open_engine

    made: list[Engine] = []

    def make() -> Engine:
        file = tmp_path / f"{len(made)}.db"
        shutil.copy(sqlite_template, file)
        made.append(open_engine(f"sqlite:///{file}"))
        return made[-1]

    yield make
    for each in made:
        each.dispose()
