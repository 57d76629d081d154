"""A word of thanks after a tap: once, within X's reply window, and never to who has said enough."""

from typing import Any

import pytest
import sqlalchemy as sa

from service.db import reading, writing
from service.ids import person
from service.models import feedback_request, opt_out, send_attempt
from service.outreach.thanks import send_due
from service.outreach.workplace import Workplace
from service.requests import restored
from service.results.answer import Answer
from service.results.inbox import read_once
from service.results.ingest import ingest
from service.results.merge import Update
from service.settings import SettingsError
from tests.support import World, settings_of

TEXTS = {
    "en": {
        "opening": "Thanks for writing.", "card": "How?", "quick_reply": "How did we do?",
        "thanks": "Thank you. Tell us more: {page}",
    }
}  # fmt: skip
ASKED = ["Thanks for writing.", "How did we do?"]


@pytest.fixture
def world(world_of: Any) -> World:
    """Somebody has been asked by quick replies."""
    made: World = world_of(campaigns__care__ways=["quick_reply"], campaigns__care__texts=TEXTS)
    made.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    made.ended()
    made.forward(minutes=2)
    made.run()
    return made


def tap(world: World, option: int = 4) -> None:
    world.forward(minutes=1)
    world.control("/customers/501/dm", {"tap": option})
    world.forward(minutes=6)
    read_once(world.engine, world.settings, account(world), world.clients["acme"], world.clock)


def account(world: World) -> Any:
    return world.settings.accounts["acme"]


def thank(world: World) -> int:
    return send_due(world.place, account(world), world.clients["acme"], world.clock)


def ours(world: World) -> list[str]:
    return [each["text"] for each in world.truth()["messages"] if each["via"] == "dm"]


def test_who_has_tapped_is_thanked_once_with_the_pages_link(world: World) -> None:
    assert thank(world) == 0, "not before an answer"
    tap(world)
    assert [thank(world), thank(world)] == [1, 0]
    assert ours(world)[:2] == ASKED
    assert ours(world)[2].startswith("Thank you. Tell us more: http://127.0.0.1:8000/f/")
    tap(world, 0)
    assert thank(world) == 0, "a second tap is no reason for a second message"


def test_a_word_of_thanks_is_no_question_and_prolongs_no_rest(world: World) -> None:
    world.forward(days=6)
    tap(world)
    assert thank(world) == 1
    world.forward(days=2)
    again = world.ended("c-2", ended_at=world.clock.now)
    world.forward(minutes=2)
    world.run()
    assert world.request(again).state == "card_sent", "eight days after the question"


@pytest.mark.parametrize("fault", ["drop_after_commit", "drop_before", "half_json"])
def test_whatever_became_of_it_there_is_no_second_one(world: World, fault: str) -> None:
    tap(world)
    world.fault(endpoint="direct_messages/events/new", fault=fault, times=1)
    thank(world)
    for _ in range(5):
        world.forward(minutes=20)
        world.run()
        thank(world)
    assert len(ours(world)) <= 3


def test_who_died_between_the_intent_and_the_answer_leaves_no_second_one(world: World) -> None:
    tap(world)
    thank(world)
    with writing(world.engine) as connection:
        mine = send_attempt.c.kind == "more"
        connection.execute(sa.update(send_attempt).where(mine).values(outcome=None, settled_at=None))
    world.forward(hours=2)
    assert thank(world) == 0
    assert len(ours(world)) == 3


def test_a_refused_account_thanks_nobody_else(world: World) -> None:
    world.customers({"user_id": "502", "screen_name": "bob", "can_dm": True})
    world.ended("c-2", x_user_id="502")
    world.forward(minutes=2)
    world.run()
    world.control("/customers/502/dm", {"tap": 3})
    tap(world)
    world.fault(endpoint="direct_messages/events/new", fault="status", status=403, code=326)
    assert thank(world) == 0
    with reading(world.engine) as connection:
        assert connection.scalar(sa.text("SELECT hold_reason FROM account_state")) == "account_locked"
        kept = connection.scalar(sa.text("SELECT count(*) FROM send_attempt WHERE kind = 'more'"))
    assert kept == 1, "the other one is still to be thanked"


@pytest.mark.parametrize("why", ["too_late", "wrote_already", "opted_out", "erased", "held"])
def test_who_is_not_to_be_written_to_is_not(world: World, why: str) -> None:
    tap(world)
    [request_id] = {each["id"] for each in requests(world)}
    if why == "too_late":
        world.forward(hours=24)
    if why == "wrote_already":
        told = Update(world.clock.now, None, None, "Quick", world.clock.now)
        with writing(world.engine) as connection:
            ingest(connection, Answer(request_id, "page", "page", told), world.clock.now)
    if why == "opted_out":
        row = {"person": person(world.place.hash_key, "501"), "account": "*", "reason": "r", "created_by": "me"}
        with writing(world.engine) as connection:
            connection.execute(sa.insert(opt_out).values(**row, created_at=world.clock.now))
    if why == "erased":
        world.set(request_id, erased_at=world.clock.now)
    if why == "held":
        with writing(world.engine) as connection:
            connection.execute(sa.text("UPDATE account_state SET hold_reason = 'held_by_hand'"))
    assert thank(world) == 0
    assert ours(world) == ASKED


def requests(world: World) -> list[dict[str, Any]]:
    with writing(world.engine) as connection:
        return [{"id": each} for each in connection.scalars(sa.select(feedback_request.c.id))]


def test_a_campaign_without_thanks_sends_none(world_of: Any) -> None:
    texts = {"en": {key: text for key, text in TEXTS["en"].items() if key != "thanks"}}
    made: World = world_of(campaigns__care__ways=["quick_reply"], campaigns__care__texts=texts)
    assert thank(made) == 0


def test_thanks_take_the_link_and_nothing_else() -> None:
    with pytest.raises(SettingsError) as refused:
        settings_of(campaigns__care__texts={"en": {**TEXTS["en"], "thanks": "Thanks {handle}"}})
    assert refused.value.problems[0].path == "campaigns.care.texts.en.thanks"


def test_nobody_is_thanked_where_a_ledger_put_back_may_not_know_of_it(world: World) -> None:
    tap(world)
    with writing(world.engine) as connection:
        restored.begin(connection, world.clock.now)
    world.place = Workplace.open(world.engine, world.settings, "after-the-restore")
    assert thank(world) == 0
