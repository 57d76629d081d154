"""Everyday statements cost the same after ten years as after a week: none reads a whole table.

SQLite is asked for the plan of every statement while one conversation goes all the way. A table that grows with the
ledger must be entered by an index, and by more of it than an account's or a source's name.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine

from service.db import reading, writing
from service.metrics import gauges
from service.models import IS_OPEN, IS_PROMPTED, feedback_request, metadata
from service.outreach.request_facts import HANDED_SINCE
from service.privacy import housekeeping
from service.reports.counting import live
from service.reports.counting.facts import CLOCKS
from service.reports.counting.lines import Slice
from service.reports.counting.live import lines
from service.reports.counting.sealing import seal
from service.reports.days import midnight
from service.reports.dimensions import ACCOUNT_AND_PEOPLE
from service.reports.filters import Filter
from service.reports.rows import query
from service.reports.rows.order import Order
from service.reports.rows.position import Position
from service.reports.rows.select import Selection
from service.reports.visible import View
from service.results import replies
from service.results.inbox import read_once as read_inbox
from service.results.poll import poll_once
from service.results.refresh import refresh_once
from service.results.status import channel_health
from service.x_api import DirectMessage
from tests.floor.app import App, told
from tests.support import START, World, request_row, settings_of

r = feedback_request.c

# poll_window: four rows a day and account, until their retention is over; strange_refusal: until the next success;
# look_up: who waits at this moment; look_up_count: a few rows a day and source, for 90 days; encryption: one row;
# restore: a row each time the ledger was put back; found_identity: what CRMs said of a customer lately
SMALL = {
    "account_state", "account_task", "alembic_version", "allowance", "api_key", "encryption", "found_identity",
    "look_up", "look_up_count", "poll_window", "process_count", "restore", "retention_run", "session", "source_state",
    "source_sweep", "strange_refusal", "worker_seen", "barred_way", "x_token",
}  # fmt: skip
GROWING = {table.name for table in metadata.sorted_tables} - SMALL
ENTERED = re.compile(
    r"(SCAN|SEARCH) (?P<table>\w+)(?: EXISTS)?(?: USING (?:COVERING )?INDEX (?P<index>\w+))?(?P<by>.*)"
)
PARTIAL = {
    "ix_feedback_request_begun",
    "ix_feedback_request_due",
    "ix_feedback_request_unproven",
    "ix_send_attempt_unclear",
}
TOO_LITTLE = {" (account=?)", " (source=?)", ""}


@contextmanager
def plans(engine: Engine) -> Iterator[dict[str, list[str]]]:
    """Every statement of the block, and the steps in which SQLite answers it."""
    found: dict[str, list[str]] = {}

    def explain(connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if many or statement in found or not statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH", "INSERT")):
            return
        cursor = connection.connection.cursor()
        cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
        found[statement] = [row[-1] for row in cursor.fetchall()]

    event.listen(engine, "before_cursor_execute", explain)
    yield found
    event.remove(engine, "before_cursor_execute", explain)


def expensive(steps: list[str]) -> list[str]:
    """The steps that read more the longer the service runs."""
    # a SEARCH by nothing is SQLite's one step to the smallest or largest key
    entered = [(step, ENTERED.match(step)) for step in steps if not re.fullmatch(r"SEARCH \w+", step)]
    return [
        step
        for step, match in entered
        if match and match["table"] in GROWING and match["index"] not in PARTIAL and match["by"] in TOO_LITTLE
    ]


@pytest.fixture
def world(sqlite_engine: Engine) -> World:
    return World(sqlite_engine, App(sqlite_engine).settings)


def assert_it_reads_little(found: dict[str, list[str]]) -> None:
    assert {statement: bad for statement, steps in found.items() if (bad := expensive(steps))} == {}


def test_walking_a_conversation_scans_no_table(world: World) -> None:
    app = App(world.engine, world.settings, world.clock)
    world.customers({"user_id": "501", "can_dm": True})
    account, client = world.settings.accounts["acme"], world.clients["acme"]
    with plans(world.engine) as found:
        for _ in range(2):
            told(app, "c-1", x_user_id="501")
        world.later(4, hours=8)
        refresh_once(world.engine, account, client, lambda: world.clock.now, answer_window=timedelta(days=28))
        poll_once(world.engine, account, client, world.clock.now)
    assert [row.state for row in app.rows(feedback_request)] == ["card_sent"]
    assert len(found) > 30, "the hot path is in it"
    assert_it_reads_little(found)


def test_look_ups_and_answers_scan_no_table(world: World) -> None:
    world.customers({"user_id": "501", "can_dm": True})
    account, client = world.settings.accounts["acme"], world.clients["acme"]
    world.fault(endpoint="direct_messages/events/new", fault="drop_after_commit", times=1)
    request_id = world.ended()
    with plans(world.engine) as found:
        world.later(4, minutes=3)
        read_inbox(world.engine, world.settings, account, client, world.clock)
    assert {each.evidence for each in world.attempts(request_id)} == {"dm_list", "answer"}
    assert sum("send_attempt" in each for each in found) > 5, "they are in it"
    assert_it_reads_little(found)


def test_a_message_is_looked_up_by_who_wrote_and_not_among_all_cards_of_the_account(world: World) -> None:
    account = world.settings.accounts["acme"]
    with plans(world.engine) as found, writing(world.engine) as connection:
        for words in ("hello", "stop"):
            message = DirectMessage("9", sender_id="777", recipient_id=account.user_id, text=words)
            replies.take(connection, world.settings, account, message, world.clock.now)
    asked = [" ".join(steps) for statement, steps in found.items() if "FROM feedback_request" in statement]
    assert len(asked) == 2
    assert all("(account=? AND x_user_id=?)" in each for each in asked), asked
    assert_it_reads_little(found)


def test_maintenance_scans_no_table(sqlite_engine: Engine) -> None:
    app = App(sqlite_engine)
    with plans(sqlite_engine) as found:
        app.call("GET", "/readyz")
        app.call("GET", "/healthz")
    assert_it_reads_little(found)


def test_operators_pages_scan_no_table(world: World) -> None:
    app = App(world.engine, world.settings, world.clock)
    key = app.key("admin")
    with plans(world.engine) as found:
        assert app.call("GET", "/metrics", key).status_code == 200
        with reading(world.engine) as connection:
            channel_health(connection, "acme", world.clock.now)
    assert len(found) > len(gauges.GAUGES), "all of them are in it"
    assert_it_reads_little(found)


def test_an_erasure_scans_only_bodies_before_locking(world: World) -> None:
    app = App(world.engine, world.settings, world.clock)
    told(app, "c-1", x_user_id="7717717717", x_handle="jane_doe")
    with plans(world.engine) as found:
        housekeeping.erase(world.engine, world.settings, "7717717717", by="ann", now=world.clock.now)
    bodies = [each for each, steps in found.items() if "webhook_delivery.body" in each and expensive(steps)]
    assert len(bodies) == 1
    assert_it_reads_little({each: steps for each, steps in found.items() if each not in bodies})


def test_the_check_finds_a_table_scan(sqlite_engine: Engine) -> None:
    by_parameter = (r.account == "acme", r.state.in_(["received"]), r.scheduled_at < START)
    for condition in (sa.and_(*by_parameter), r.team_id == "t"):
        with plans(sqlite_engine) as found, reading(sqlite_engine) as connection:
            connection.execute(sa.select(r.id).where(condition))
        assert [steps for steps in found.values() if expensive(steps)] != []


def plan_of(engine: Engine, query: sa.Select[Any]) -> str:
    with reading(engine) as connection:
        text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # it reads a table of no rows faster
            return " ".join(connection.exec_driver_sql(f"EXPLAIN {text}").scalars())
        return " ".join(row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))


def test_due_requests_are_found_by_index_without_sorting(engine: Engine) -> None:
    due = sa.select(r.id).where(r.account == "acme", IS_OPEN, r.scheduled_at <= START).order_by(r.scheduled_at)
    plan = plan_of(engine, due)
    assert "ix_feedback_request_due" in plan
    assert "Sort" not in plan
    assert "B-TREE" not in plan


def test_waiting_prompts_are_found_by_their_own_index(engine: Engine) -> None:
    waits = sa.select(sa.func.min(r.card_sent_at)).where(r.account == "acme", r.card_sent_at > START, IS_PROMPTED)
    assert "ix_feedback_request_prompts" in plan_of(engine, waits)


def test_handed_over_links_are_found_by_customer(engine: Engine) -> None:
    plan = plan_of(engine, HANDED_SINCE.params(account="acme", x_user_id="501", since=START, request="fr_1"))
    assert "ix_feedback_request_handed_over" in plan


def test_a_page_follows_the_index_of_its_order_in_a_ledger_of_some_size(engine: Engine) -> None:
    """A page of an export that reads the ledger makes the export grow with its square."""
    rows = [request_row(START, conversation_id=f"c-{n}", ended_at=START + timedelta(minutes=n)) for n in range(4000)]
    found: list[str] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if "ORDER BY" in statement and not found:
            how = "EXPLAIN" if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
            cursor.execute(f"{how} {statement}", parameters)
            found.append(" ".join(str(row[-1]) for row in cursor.fetchall()))

    with writing(engine) as connection:
        connection.execute(sa.insert(feedback_request), rows)
        connection.exec_driver_sql("ANALYZE")
    event.listen(engine, "before_cursor_execute", explain)
    after, order = Position(START + timedelta(minutes=50), "fr_"), Order("ended_at", "both")
    with reading(engine) as connection:
        query.page(connection, settings_of(), View(("acme",), None), Selection(Filter(), order), after=after, limit=250)
    assert "ix_feedback_request_ended_at_id" in found[0]
    assert "Sort" not in found[0]
    assert "B-TREE" not in found[0]


def test_figures_read_roll_ups_and_the_edges_of_the_ledger(world: World) -> None:
    for number in range(3):
        world.ended(f"c-{number}")
    while seal(world.engine, world.settings, world.clock.now):
        pass
    view, zone = View(("acme",), None), world.settings.service.time_zone
    with plans(world.engine) as found, reading(world.engine) as connection:
        for clock in CLOCKS:
            for by in ((), ("team", "account"), ACCOUNT_AND_PEOPLE, ("campaign",)):
                for since in (START - timedelta(days=100), START - timedelta(days=40, hours=3)):
                    lines(connection, view, Slice(clock, zone, since, START, by=by))
    assert any("ix_tally_asked" in step for steps in found.values() for step in steps)
    assert_it_reads_little(found)


def test_uncounted_requests_are_found_by_index(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a burst, or while no worker is at work, figures do not read the ledger whole."""
    monkeypatch.setattr(live, "MOST_CHANGED", 1)
    while seal(world.engine, world.settings, world.clock.now):
        pass
    for number in range(3):
        world.ended(f"c-{number}")
    view, zone = View(("acme",), None), world.settings.service.time_zone
    since = midnight(START.date() - timedelta(days=100), zone)
    with plans(world.engine) as found, reading(world.engine) as connection:
        for clock in CLOCKS:
            lines(connection, view, Slice(clock, zone, since, since + timedelta(days=101), by=("team",)))
    entered = [step for steps in found.values() for step in steps if "feedback_request" in step]
    assert entered != []
    assert {step for step in entered if "ix_feedback_request_unsealed" not in step} == set()
