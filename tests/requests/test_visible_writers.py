"""Every visible change removes the request's seal in the same commit, so it gets a new number."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db import reading
from service.models import feedback_request, send_attempt
from service.outreach import by_hand, unclear
from service.outreach.context import Workplace
from service.privacy import housekeeping
from service.reports.counting.sealing import seal
from tests.floor.app import App
from tests.results.cards import NOW, request, settings, snapshot, take
from tests.support import World

r = feedback_request.c
SETTINGS = settings()
Change = Callable[[], object]


def first_answer(place: Workplace) -> Change:
    row = request(place.engine)
    return lambda: take(place.engine, snapshot(row, NOW, score=2))


def later_text(place: Workplace) -> Change:
    row = request(place.engine)
    take(place.engine, snapshot(row, NOW, score=2))
    later = NOW + timedelta(minutes=1)
    return lambda: take(place.engine, snapshot(row, later, score=2, score_at=NOW, text="slow"))


def no_news_but_counted(place: Workplace) -> Change:
    """A row says how often X told us something."""
    row = request(place.engine)
    take(place.engine, snapshot(row, NOW, score=2))
    return lambda: take(place.engine, snapshot(row, NOW - timedelta(minutes=1)))


def answered(place: Workplace) -> dict[str, Any]:
    row: dict[str, Any] = request(place.engine)
    take(place.engine, snapshot(row, NOW, score=2, text="slow"))
    return row


def retention(place: Workplace) -> Change:
    answered(place)
    later = NOW + timedelta(days=4000)
    return lambda: housekeeping.prune(place.engine, SETTINGS, later, dry_run=False)


def erasure(place: Workplace) -> Change:
    person = answered(place)["x_user_id"]
    return lambda: housekeeping.erase(place.engine, SETTINGS, person, by="ada", now=NOW)


def cancelled(place: Workplace) -> Change:
    row = request(place.engine, state="received", feedback_id=None, card_sent_at=None)
    return lambda: by_hand.cancel(place, row["id"], by="ada", now=NOW)


def retried(place: Workplace) -> Change:
    row = request(place.engine, state="skipped", reason="stale", feedback_id=None, card_sent_at=None)
    return lambda: by_hand.retry(place, row["id"], by="ada", accept_second_message=False, now=NOW)


def completed(place: Workplace) -> Change:
    row = request(place.engine, state="skipped", reason="no_x_identity", x_user_id=None, feedback_id=None)
    return lambda: by_hand.complete(place, row["id"], "7718", by="ada", now=NOW)


def attached(place: Workplace) -> Change:
    row = request(place.engine, state="unknown", feedback_id=None, outcome_at=NOW)
    take(place.engine, snapshot({**row, "feedback_id": "77"}, NOW, score=2))
    return lambda: unclear.attach_once(place, NOW)


def is_sealed(engine: Engine) -> bool:
    with reading(engine) as connection:
        return connection.scalar(sa.select(r.sealed)) is not None


@pytest.mark.parametrize(
    "prepared",
    [
        first_answer, later_text, no_news_but_counted, retention, erasure, cancelled, retried, completed, attached,
    ],
)  # fmt: skip
def test_a_visible_change_is_sealed_anew(engine: Engine, prepared: Callable[[Workplace], Change]) -> None:
    change = prepared(Workplace.open(engine, SETTINGS, "w"))
    seal(engine, SETTINGS, NOW)
    assert is_sealed(engine)
    change()
    assert not is_sealed(engine)


def test_each_step_on_the_way_to_the_card_is_sealed_anew(engine: Engine) -> None:
    world = World(engine, App(engine).settings)
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
