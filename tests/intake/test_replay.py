"""Stored deliveries read again with a corrected definition."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db import open_engine
from service.db.outages import is_away
from service.intake.inbox.replay import ReplayCounts, replay
from service.models import webhook_delivery
from tests.intake.app import App, define, ended, token_app

RENAMED = json.dumps({"event": "conversation.ended", "case": "c-1", "ended_at": "2026-11-22T11:00:00Z"}).encode()


def mended(**tables: Any) -> Any:
    from dataclasses import replace

    return replace(define("token", **tables), name="token")


def broken_app(engine: Engine, now: datetime) -> App:
    app = token_app(engine, now)
    assert app.send("token", RENAMED).get_json()["unmappable"] == 1
    app.later(seconds=1)
    app.send("token", ended("c-2"))
    app.later(hours=1)
    return app


def test_unmappable_items_are_accepted_after_the_definition_is_fixed(engine: Engine, now: datetime) -> None:
    app = broken_app(engine, now)
    definition = mended(map={"conversation_id": "b.case || b.conversation_id"})
    assert replay(engine, definition, None, app.now) == ReplayCounts(deliveries=1, accepted=1)
    request = next(row for row in app.requests if row.conversation_id == "c-1")
    assert request.received_at == now
    assert request.scheduled_at == app.now
    readings = [(item.reading, item.outcome) for item in app.items if item.delivery_id == request.delivery_id]
    assert readings == [(0, "unmappable"), (1, "accepted")]


def test_a_second_replay_finds_nothing_left_to_read(engine: Engine, now: datetime) -> None:
    app = broken_app(engine, now)
    definition = mended(map={"conversation_id": "b.case || b.conversation_id"})
    replay(engine, definition, None, app.now)
    assert replay(engine, definition, None, app.now) == ReplayCounts()


def test_a_replay_with_the_same_mistake_adds_a_reading_and_changes_nothing_else(engine: Engine, now: datetime) -> None:
    app = broken_app(engine, now)
    assert replay(engine, mended(), None, app.now) == ReplayCounts(deliveries=1, unmappable=1)
    assert replay(engine, mended(), None, app.now) == ReplayCounts(deliveries=1, unmappable=1)
    assert [item.reading for item in app.items if item.outcome == "unmappable"] == [0, 1, 2]
    assert len(app.requests) == 1


def test_one_delivery_can_be_read_again_and_accepts_nothing_twice(engine: Engine, now: datetime) -> None:
    app = broken_app(engine, now)
    delivery_id = app.requests[0].delivery_id
    assert replay(engine, mended(), delivery_id, app.now) == ReplayCounts(deliveries=1, duplicate=1)
    assert len(app.requests) == 1


def test_an_end_without_a_time_counts_from_the_delivery_s_arrival_in_every_reading(
    engine: Engine, now: datetime
) -> None:
    app = broken_app(engine, now)
    definition = mended(map={"conversation_id": "b.case", "ended_at": "received"})
    replay(engine, definition, None, app.now)
    assert next(row for row in app.requests if row.conversation_id == "c-1").ended_at == now


def test_a_delivery_of_another_source_is_not_read(engine: Engine, now: datetime) -> None:
    app = broken_app(engine, now)
    assert replay(engine, define("token"), None, app.now) == ReplayCounts()
    assert replay(engine, define("token"), app.deliveries[0].id, app.now) == ReplayCounts()


def test_a_delivery_whose_body_is_gone_is_counted(engine: Engine, now: datetime) -> None:
    app = broken_app(engine, now)
    with engine.begin() as connection:
        connection.execute(sa.update(webhook_delivery).values(body=None))
    assert replay(engine, mended(), None, app.now) == ReplayCounts(gone=1)


def test_headers_that_name_the_event_are_kept_for_a_replay(engine: Engine, now: datetime) -> None:
    app = token_app(engine, now, events={"ended": "h.\"x-event\"=='closed'"}, map={"conversation_id": "b.missing"})
    app.send("token", ended("c-1"), {"x-event": "closed"})
    definition = mended(events={"ended": "h.\"x-event\"=='closed'"})
    assert replay(engine, definition, None, now + timedelta(hours=1)).accepted == 1


def test_a_replay_without_a_database_says_so_and_asks_nobody_to_send_again(tmp_path: Any, now: datetime) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(sa.exc.OperationalError) as raised:
        replay(engine, mended(), None, now)
    assert is_away(raised.value)
    engine.dispose()
