"""Whoever changes what a reader can see says so in the same commit: the request waits for a new number."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service import housekeeping
from service.db import reading
from service.models import feedback_request, send_attempt
from service.outreach import by_hand, unclear
from service.outreach.ledger import Queue
from service.reports.counting.sealing import seal
from tests.floor.house import House
from tests.results.house import NOW, request, settings, snapshot, take
from tests.support import World

r = feedback_request.c
SETTINGS = settings()
Change = Callable[[], object]


def first_answer(queue: Queue) -> Change:
    row = request(queue.engine)
    return lambda: take(queue.engine, snapshot(row, NOW, score=2))


def later_text(queue: Queue) -> Change:
    row = request(queue.engine)
    take(queue.engine, snapshot(row, NOW, score=2))
    later = NOW + timedelta(minutes=1)
    return lambda: take(queue.engine, snapshot(row, later, score=2, score_at=NOW, text="slow"))


def no_news_but_counted(queue: Queue) -> Change:
    """A row says how often X told us something."""
    row = request(queue.engine)
    take(queue.engine, snapshot(row, NOW, score=2))
    return lambda: take(queue.engine, snapshot(row, NOW - timedelta(minutes=1)))


def answered(queue: Queue) -> dict[str, Any]:
    row: dict[str, Any] = request(queue.engine)
    take(queue.engine, snapshot(row, NOW, score=2, text="slow"))
    return row


def retention(queue: Queue) -> Change:
    answered(queue)
    later = NOW + timedelta(days=4000)
    return lambda: housekeeping.prune(queue.engine, SETTINGS, later, dry_run=False)


def erasure(queue: Queue) -> Change:
    person = answered(queue)["x_user_id"]
    return lambda: housekeeping.erase(queue.engine, SETTINGS, person, by="ada", now=NOW)


def cancelled(queue: Queue) -> Change:
    row = request(queue.engine, state="received", feedback_id=None, card_sent_at=None)
    return lambda: by_hand.cancel(queue, row["id"], by="ada", now=NOW)


def retried(queue: Queue) -> Change:
    row = request(queue.engine, state="skipped", reason="stale", feedback_id=None, card_sent_at=None)
    return lambda: by_hand.retry(queue, row["id"], by="ada", accept_second_message=False, now=NOW)


def completed(queue: Queue) -> Change:
    row = request(queue.engine, state="skipped", reason="no_x_identity", x_user_id=None, feedback_id=None)
    return lambda: by_hand.complete(queue, row["id"], "7718", by="ada", now=NOW)


def attached(queue: Queue) -> Change:
    row = request(queue.engine, state="unknown", feedback_id=None, outcome_at=NOW)
    take(queue.engine, snapshot({**row, "feedback_id": "77"}, NOW, score=2))
    return lambda: unclear.attach_once(queue, NOW)


def is_sealed(engine: Engine) -> bool:
    with reading(engine) as connection:
        return connection.scalar(sa.select(r.sealed)) is not None


@pytest.mark.parametrize(
    "prepared",
    [
        first_answer, later_text, no_news_but_counted, retention, erasure, cancelled, retried, completed, attached,
    ],
)  # fmt: skip
def test_a_visible_change_is_sealed_anew(engine: Engine, prepared: Callable[[Queue], Change]) -> None:
    change = prepared(Queue(engine, SETTINGS, "w"))
    seal(engine, SETTINGS, NOW)
    assert is_sealed(engine)
    change()
    assert not is_sealed(engine)


def test_each_step_on_the_way_to_the_card_is_sealed_anew(engine: Engine) -> None:
    world = World(engine, House(engine).settings)
    world.customers({"user_id": "501", "can_dm": True})
    request_id = world.ended()
    states = []
    while world.request(request_id).state != "card_sent":
        seal(engine, world.settings, world.clock.now)
        before = world.request(request_id)
        assert before.sealed is not None
        world.run()
        after = world.request(request_id)
        assert after.state == before.state or after.sealed is None
        states.append(after.state)
        world.forward(hours=1)
    assert len(states) < 20
    with reading(engine) as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(send_attempt)) == 2
