"""Thanks after a tap: once, within X's reply window, and never to somebody who opted out."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.accounts import standing, task_leases
from service.at_rest.columns import encrypting
from service.db import reading, writing
from service.ids import person
from service.models import feedback_request, opt_out, result, send_attempt
from service.outreach import thanks
from service.outreach.context import Workplace
from service.outreach.thanks import send_due
from service.requests import restored
from service.results.answer import Answer
from service.results.inbox import read_once
from service.results.ingest import ingest
from service.results.merge import Update
from service.settings import SettingsError
from service.x_api import RateLimited
from service.x_api.refusal import error_from
from tests.support import START, World, request_of, settings_of

TEXTS = {
    "en": {
        "opening": "Thanks for writing.", "card": "How?", "quick_reply": "How did we do?",
        "thanks": "Thank you. Tell us more: {page}",
    }
}  # fmt: skip
ASKED = ["Thanks for writing.", "How did we do?"]


@pytest.fixture
def world(world_of: Any) -> World:
    """A world in which somebody was asked by quick replies."""
    return asked(world_of, TEXTS)


def asked(world_of: Any, texts: Any) -> World:
    made: World = world_of(campaigns__care__ways=["quick_reply"], campaigns__care__texts=texts)
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


def two_tap(world: World) -> None:
    world.customers({"user_id": "502", "screen_name": "bob", "can_dm": True})
    world.ended("c-2", x_user_id="502")
    world.forward(minutes=2)
    world.run()
    world.control("/customers/502/dm", {"tap": 3})
    tap(world)


def account(world: World) -> Any:
    return world.settings.accounts["acme"]


def thank(world: World) -> int:
    return send_due(world.place, account(world), world.clients["acme"], world.clock)


def ours(world: World) -> list[str]:
    return [each["text"] for each in world.truth()["messages"] if each["via"] == "dm"]


def test_a_customer_who_tapped_is_thanked_once_with_the_link(world: World) -> None:
    assert thank(world) == 0, "not before an answer"
    tap(world)
    assert [thank(world), thank(world)] == [1, 0]
    assert ours(world)[:2] == ASKED
    assert ours(world)[2].startswith("Thank you. Tell us more: http://127.0.0.1:8000/f/")
    tap(world, 0)
    assert thank(world) == 0, "a second tap is no reason for a second message"


def test_thanks_do_not_count_for_the_cooldown(world: World) -> None:
    world.forward(days=6)
    tap(world)
    assert thank(world) == 1
    world.forward(days=2)
    again = world.ended("c-2", ended_at=world.clock.now)
    world.forward(minutes=2)
    world.run()
    assert world.request(again).state == "card_sent", "eight days after the question"


@pytest.mark.parametrize(("text", "thanked"), [("Tell us more: {page}", 0), ("Thank you.", 1)])
def test_a_tap_after_the_page_has_closed_gets_no_link_to_it(world_of: Any, text: str, thanked: int) -> None:
    made = asked(world_of, {"en": {**TEXTS["en"], "thanks": text}})
    made.forward(days=29)
    [request_id] = [each["id"] for each in requests(made)]
    now = made.clock.now
    with writing(made.engine) as connection:
        ingest(connection, Answer(request_id, "quick_reply", "dm", Update(now, 4, now)), now)
    assert thank(made) == thanked


def test_two_customers_who_tapped_are_both_thanked(world: World) -> None:
    two_tap(world)
    assert thank(world) == 2
    assert sorted(each["recipient"] for each in world.truth()["messages"][-2:]) == ["501", "502"]


def test_a_comment_of_somebody_else_withholds_no_thanks(world: World) -> None:
    two_tap(world)
    [commented] = {each["id"] for each in requests(world) if world.request(each["id"]).x_user_id == "502"}
    told = Update(world.clock.now, None, None, "Quick", world.clock.now)
    with writing(world.engine) as connection:
        ingest(connection, Answer(commented, "page", "page", told), world.clock.now)
    assert thank(world) == 1
    assert world.truth()["messages"][-1]["recipient"] == "501"


def test_two_workers_that_found_the_same_tap_thank_once(world: World) -> None:
    tap(world)
    [found] = {each["id"] for each in requests(world)}
    thanking = {each.name: each for each in world.settings.campaigns}
    worker = thanks._Thanking(world.place, account(world), world.clients["acme"], thanking, world.clock)
    assert [worker.thank(found), worker.thank(found)] == [True, False]


def test_a_later_tap_is_thanked_too(world: World) -> None:
    tap(world)
    assert thank(world) == 1
    world.customers({"user_id": "502", "screen_name": "bob", "can_dm": True})
    world.ended("c-2", x_user_id="502")
    world.forward(minutes=2)
    world.run()
    world.control("/customers/502/dm", {"tap": 3})
    world.forward(minutes=6)
    read_once(world.engine, world.settings, account(world), world.clients["acme"], world.clock)
    assert thank(world) == 1


def test_a_language_without_thanks_sends_none(world_of: Any) -> None:
    german = {name: text for name, text in TEXTS["en"].items() if name != "thanks"}
    made: World = world_of(campaigns__care__ways=["quick_reply"], campaigns__care__texts={**TEXTS, "de": german})
    made.customers({"user_id": "501", "screen_name": "ada", "can_dm": True})
    made.customers({"user_id": "502", "screen_name": "bob", "can_dm": True})
    made.ended(language="de")
    made.ended("c-2", x_user_id="502", language="en")
    made.forward(minutes=2)
    made.run()
    made.control("/customers/502/dm", {"tap": 3})
    tap(made)
    assert thank(made) == 1


@pytest.mark.parametrize("columns", [{"erased_at": START}, {"x_user_id": None}])
def test_an_erased_customer_is_not_thanked(world_of: Any, columns: dict[str, Any]) -> None:
    made: World = world_of()
    with reading(made.engine) as connection:
        assert thanks._still(connection, made.place, request_of(START))
        assert not thanks._still(connection, made.place, request_of(START, **columns))


@pytest.mark.parametrize("fault", ["drop_after_commit", "drop_before", "half_json"])
def test_thanks_are_never_repeated(world: World, fault: str) -> None:
    tap(world)
    world.fault(endpoint="direct_messages/events/new", fault=fault, times=1)
    thank(world)
    for _ in range(5):
        world.forward(minutes=20)
        world.run()
        thank(world)
    assert len(ours(world)) <= 3


def test_a_crash_between_intent_and_answer_causes_no_second_thanks(world: World) -> None:
    tap(world)
    thank(world)
    with writing(world.engine) as connection:
        mine = send_attempt.c.kind == "more"
        connection.execute(sa.update(send_attempt).where(mine).values(outcome=None, settled_at=None))
    world.forward(hours=2)
    assert thank(world) == 0
    assert len(ours(world)) == 3


def test_a_refused_account_thanks_nobody_else(world: World) -> None:
    two_tap(world)
    world.fault(endpoint="direct_messages/events/new", fault="status", status=403, code=326)
    assert thank(world) == 0
    with reading(world.engine) as connection:
        assert connection.scalar(sa.text("SELECT hold_reason FROM account_state")) == "account_locked"
        kept = connection.scalar(sa.text("SELECT count(*) FROM send_attempt WHERE kind = 'more'"))
    assert kept == 1, "the other one is still to be thanked"


@pytest.mark.parametrize("why", ["too_late", "wrote_already", "opted_out", "erased", "held"])
def test_customers_who_may_not_be_written_to_are_not_thanked(world: World, why: str) -> None:
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


def test_an_account_at_rest_costs_no_write_a_second(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tap(world)
    with writing(world.engine) as connection:
        connection.execute(sa.text("UPDATE account_state SET hold_reason = 'held_by_hand'"))
    monkeypatch.delattr(thanks, "writing")
    assert thank(world) == 0


def test_somebody_who_comments_while_another_is_thanked_gets_none(world: World) -> None:
    """Up to twenty are found at once, and each waits for the calls to X before its own."""
    two_tap(world)
    asked = [each["id"] for each in requests(world)]
    send = world.clients["acme"].send_dm

    class CommentedMeanwhile:
        def send_dm(self, *told: Any, **more: Any) -> Any:
            update = Update(world.clock.now, None, None, "Quick", world.clock.now)
            with writing(world.engine) as connection:
                for each in asked:
                    ingest(connection, Answer(each, "page", "page", update), world.clock.now)
            return send(*told, **more)

    x: Any = CommentedMeanwhile()
    assert send_due(world.place, account(world), x, world.clock) == 1


def requests(world: World) -> list[dict[str, Any]]:
    with writing(world.engine) as connection:
        return [{"id": each} for each in connection.scalars(sa.select(feedback_request.c.id))]


def test_customers_without_thanks_delay_nobody(world_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A language without thanks, or a *stop* after the tap: such people stay among those who tapped for a day."""
    monkeypatch.setattr(thanks, "AT_ONCE", 1)
    german = {key: text for key, text in TEXTS["en"].items() if key != "thanks"}
    made: World = world_of(campaigns__care__ways=["quick_reply"], campaigns__care__texts={**TEXTS, "de": german})
    asked = {"401": "de", "501": "en", "602": "de"}
    for user_id, language in asked.items():
        made.customers({"user_id": user_id, "can_dm": True})
        made.ended(f"c-{user_id}", x_user_id=user_id, language=language)
    made.forward(minutes=2)
    made.run()
    for user_id in asked:
        made.forward(minutes=6)
        made.control(f"/customers/{user_id}/dm", {"tap": 1})
        read_once(made.engine, made.settings, account(made), made.clients["acme"], made.clock)
    assert [thank(made), thank(made)] == [1, 0]


def test_a_campaign_without_thanks_sends_none(world_of: Any) -> None:
    texts = {"en": {key: text for key, text in TEXTS["en"].items() if key != "thanks"}}
    made: World = world_of(campaigns__care__ways=["quick_reply"], campaigns__care__texts=texts)
    assert thank(made) == 0


def test_thanks_take_the_link_and_nothing_else() -> None:
    with pytest.raises(SettingsError) as refused:
        settings_of(campaigns__care__texts={"en": {**TEXTS["en"], "thanks": "Thanks {handle}"}})
    assert refused.value.problems[0].path == "campaigns.care.texts.en.thanks"


def test_after_a_restore_nobody_is_thanked_who_may_have_been(world: World) -> None:
    tap(world)
    with writing(world.engine) as connection:
        restored.begin(connection, world.clock.now)
    world.place = Workplace.open(world.engine, world.settings, "after-the-restore")
    assert thank(world) == 0


# -- to the microsecond

TICK, MINUTE, HOUR = timedelta(microseconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("seen", "since"),
    [
        (None, START - 23 * HOUR),
        (START - MINUTE, START - 11 * MINUTE),
        (START + MINUTE, START - 10 * MINUTE),
        (START - 23 * HOUR, START - 23 * HOUR),
    ],
)
def test_answers_are_looked_through_from_the_last_look_and_no_further_than_x_lets_us_reply(
    seen: Any, since: datetime
) -> None:
    """An hour of the day is left for clocks; ten minutes for who commits late."""
    assert thanks._since(seen, START) == since


@pytest.mark.parametrize(
    ("seen", "kept"),
    [(None, START), (START - MINUTE + TICK, START - MINUTE + TICK), (START - MINUTE, START), (START + TICK, START)],
)
def test_an_empty_look_is_noted_once_a_minute(world_of: Any, seen: Any, kept: datetime) -> None:
    world: World = world_of(campaigns__care__ways=["quick_reply"], campaigns__care__texts=TEXTS)
    if seen is not None:
        with writing(world.engine) as connection:
            task_leases.set_moment(connection, "acme", thanks.SEEN, seen)
    assert thank(world) == 0
    with reading(world.engine) as connection:
        assert task_leases.moment(connection, "acme", thanks.SEEN) == kept


@pytest.mark.parametrize(
    ("of_result", "of_request", "thanked"),
    [
        ({}, {}, True),
        ({"updated_at": START}, {}, False),
        ({"score_seen_at": START}, {}, False),
        ({"score_at": START - 22 * HOUR}, {}, True),
        ({"score_at": START - 23 * HOUR}, {}, False),
        ({"score_way": "page"}, {}, False),
        ({"text": "Fine"}, {}, False),
        ({"text_at": START}, {}, False),
        ({}, {"erased_at": START}, False),
        ({}, {"x_user_id": None}, False),
        ({}, {"account": "other"}, False),
        ({}, {"campaign": "other"}, False),
        ({}, {"state": "unknown"}, False),
    ],
)
def test_only_recent_taps_without_a_comment_are_thanked(
    world_of: Any, of_result: dict[str, Any], of_request: dict[str, Any], thanked: bool
) -> None:
    world: World = world_of(campaigns__care__texts=TEXTS)
    request_id = world.ended(**{"state": "card_sent", "card_sent_at": START, "campaign": "care", **of_request})
    times = dict.fromkeys(("updated_at", "score_seen_at"), START + TICK)
    row = {"request_id": request_id, "way": "quick_reply", "first_channel": "dm", "update_count": 1, "anomalies": 0,
           "x_updated_at": START, "first_seen_at": START, "score": 4, "score_way": "quick_reply", **times}  # fmt: skip
    with writing(world.engine) as connection:
        values = encrypting(result, {**row, **of_result}, request_id)
        connection.execute(sa.insert(result).values(values))
        thanking = {each.name: each for each in world.settings.campaigns}
        found = thanks._due(connection, world.place, account(world), thanking, START, START)
    assert found == ([request_id] if thanked else [])


@pytest.mark.parametrize(("ended_ago", "may_have"), [(timedelta(0), True), (-TICK, False), (HOUR, True)])
def test_thanks_may_have_been_sent_before_a_restore(world_of: Any, ended_ago: timedelta, may_have: bool) -> None:
    world: World = world_of()
    place = replace(world.place, restores=(restored.Restore(START - HOUR, START),))
    asked = request_of(START, ended_at=START - ended_ago)
    assert thanks._may_have_been_thanked(place, asked) is may_have
    assert not thanks._may_have_been_thanked(world.place, asked)


@pytest.mark.parametrize(
    ("fault", "outcome", "evidence", "pause"),
    [
        ({"fault": "drop_before"}, "unknown", None, None),
        ({"fault": "status", "status": 403, "code": 349}, "not_sent", "refused", None),
        ({"fault": "429", "headers": True, "reset_in_s": 300}, "not_sent", "refused", 5 * MINUTE),
        ({"fault": "status", "status": 500, "code": 88}, "unknown", None, 15 * MINUTE),
    ],
)
def test_the_outcome_of_thanks_is_recorded(
    world: World, fault: dict[str, Any], outcome: str, evidence: str | None, pause: timedelta | None
) -> None:
    tap(world)
    world.fault(endpoint="direct_messages/events/new", times=1, **fault)
    assert thank(world) == 0
    [request_id] = {each["id"] for each in requests(world)}
    last = world.attempts(request_id)[-1]
    assert (last.kind, last.outcome, last.evidence) == ("more", outcome, evidence)
    [stands] = standings_of(world)
    assert (stands.hold_reason, stands.paused_until) == (None, None if pause is None else world.clock.now + pause)


@pytest.mark.parametrize(("reset_in", "pause"), [(None, timedelta(minutes=15)), (HOUR, HOUR), (48 * HOUR, 24 * HOUR)])
def test_a_limit_pauses_the_account_for_its_time_a_window_or_a_day_at_most(
    world: World, reset_in: timedelta | None, pause: timedelta
) -> None:
    tap(world)
    now = world.clock.now

    class Limits:
        def send_dm(self, *_: object, **__: object) -> Any:
            at = None if reset_in is None else now + reset_in
            raise RateLimited("Too soon.", reason="rate_limited", reset_at=at)

    x: Any = Limits()
    assert send_due(world.place, account(world), x, world.clock) == 0
    [stands] = standings_of(world)
    assert stands.paused_until == now + pause


def test_a_refusal_without_a_code_may_pass_and_stops_no_account(world: World) -> None:
    tap(world)

    class Forbids:
        def send_dm(self, *_: object, **__: object) -> Any:
            raise error_from(403, {}, b"", sends=True, now=world.clock.now)

    x: Any = Forbids()
    assert send_due(world.place, account(world), x, world.clock) == 0
    assert [(each.hold_reason, each.paused_until) for each in standings_of(world)] == [(None, None)]


def standings_of(world: World) -> list[standing.AccountStanding]:
    with reading(world.engine) as connection:
        return standing.standings(connection)


@pytest.mark.parametrize(("ago", "outcome"), [(HOUR, None), (HOUR + TICK, "unknown")])
def test_thanks_without_an_outcome_for_an_hour_are_given_up(world: World, ago: timedelta, outcome: str | None) -> None:
    [request_id] = {each["id"] for each in requests(world)}
    at = world.clock.now - ago
    row = {"id": "sa_more", "request_id": request_id, "account": "acme", "x_user_id": "501", "kind": "more"}
    with writing(world.engine) as connection:
        connection.execute(sa.insert(send_attempt).values(**row, intended_at=at))
    thank(world)
    [mine] = [each for each in world.attempts(request_id) if each.kind == "more"]
    assert (mine.outcome, mine.settled_at) == (outcome, None if outcome is None else world.clock.now)
