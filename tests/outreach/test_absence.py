"""A message missing from X's list counts as absent only if the list shows what we know to be there."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from service.accounts.dm_list import EVER, Listing
from service.db import reading, writing
from service.ids import new_id
from service.models import send_attempt
from service.outreach.absence import held_to_what_we_know
from service.requests import sends
from service.requests.request import Attempt
from service.states import Kind, State
from service.x_api import DirectMessage
from tests.outreach.test_unclear import CREATE, NEW, appeared, messages, ready
from tests.support import START, Dropping, World, request_of

OFF = {"pair_scope": "off"}  # X's own guard against a second card would hide ours


def asked(world: World, user_id: str, **columns: Any) -> str:
    world.customers({"user_id": user_id, "can_dm": True})
    return ready(world, conversation_id=f"c-{user_id}", x_user_id=user_id, **columns)


def long_go_on(world: World) -> None:
    """Two hours and a half; once the list has settled nothing happens often, and ten minutes at a step will do."""
    world.turns(20, minutes=1)
    world.turns(13, minutes=10)


def got(world: World, user_id: str, via: str) -> int:
    return sum((each["recipient"], each["via"]) == (user_id, via) for each in world.truth()["messages"])


@pytest.mark.parametrize("fault", ["drop_after_commit", "status_after_commit"])
def test_a_list_that_shows_no_cards_proves_no_card_absent(world_of: Any, fault: str) -> None:
    world: World = world_of({"card_dm_in_list": False, **OFF})
    known = asked(world, "501")
    world.turns(10, minutes=1)
    assert world.request(known).card_dm_id is not None
    world.fault(endpoint=CREATE, fault=fault, times=1)
    unclear = asked(world, "502")
    long_go_on(world)
    assert got(world, "502", "card") == 1
    assert (world.request(unclear).state, world.request(unclear).reason) == (State.UNKNOWN, "unclear_send")


def test_a_card_missing_from_the_list_is_repeated_only_while_x_forbids_two(world_of: Any) -> None:
    """The first card of an account: nothing tells yet whether X's list shows cards. X's rule of one a day ends."""
    world: World = world_of({"card_dm_in_list": False})
    world.fault(endpoint=CREATE, fault="status_after_commit", times=1)
    first = asked(world, "501")
    world.turns(
        80, minutes=30
    )  # forty hours: the try after the first day may come six hours late, and a little by chance
    assert got(world, "501", "card") == 1
    assert (world.request(first).state, world.request(first).reason) == (State.UNKNOWN, "unclear_send")
    assert {each.outcome for each in world.attempts(first) if each.kind == "card"} == {"not_sent", "unknown"}
    again = ready(world, conversation_id="c-again", x_user_id="501")
    world.run()
    assert world.request(again).reason == "cooldown"


def test_a_card_that_x_refuses_to_repeat_is_not_told_as_never_sent(world_of: Any) -> None:
    """Without an opening it is stale before X's day is over; until then X says that one has gone today."""
    world: World = world_of({"card_dm_in_list": False})
    world.fault(endpoint=CREATE, fault="status_after_commit", times=1)
    first = asked(world, "501", opening_text=None, stale_at=START + 23 * HOUR)
    world.turns(60, minutes=30)
    assert got(world, "501", "card") == 1
    assert {each.evidence for each in world.attempts(first)} == {None, "refused"}
    assert (world.request(first).state, world.request(first).reason) == (State.UNKNOWN, "unclear_send")


def test_of_several_first_cards_that_the_list_leaves_out_one_is_repeated_and_not_all(world_of: Any) -> None:
    """Openings control the list, and nothing tells yet whether it shows cards."""
    world: World = world_of({"card_dm_in_list": False, **OFF})
    world.fault(endpoint=CREATE, fault="status_after_commit", times=5)
    for number in range(501, 506):
        asked(world, str(number))
    long_go_on(world)
    assert sorted(got(world, str(number), "card") for number in range(501, 506)) == [1, 1, 1, 1, 2]


def test_a_list_without_cards_still_proves_openings(world_of: Any) -> None:
    world: World = world_of({"card_dm_in_list": False, **OFF})
    asked(world, "501")
    world.turns(10, minutes=1)
    world.fault(endpoint=NEW, fault="drop_before", times=1)
    again = asked(world, "502")
    world.turns(20, minutes=1)
    attempts = sorted((each.kind, each.outcome) for each in world.attempts(again))
    assert attempts == [("card", "sent"), ("dm", "not_sent"), ("dm", "sent")]


def test_a_list_with_an_unusual_lag_is_waited_for(world_of: Any) -> None:
    """Ten minutes instead of three: what was sent meanwhile, and is not shown, tells."""
    world: World = world_of({"list_lag_s": 600, **OFF})
    for number in range(601, 606):
        asked(world, str(number))
        world.turns(1, minutes=1)
    world.fault(endpoint=NEW, fault="status_after_commit", times=1)
    unclear = asked(world, "501")
    for number in range(606, 626):
        world.turns(1, minutes=1)
        asked(world, str(number))
    world.turns(10, minutes=1)
    assert world.request(unclear).state == State.CARD_SENT
    assert (got(world, "501", "dm"), got(world, "501", "card")) == (1, 1)


def test_the_opening_shows_how_far_the_list_lags(world_of: Any) -> None:
    world: World = world_of({"list_lag_s": 600, **OFF})
    world.fault(endpoint=CREATE, fault="status_after_commit", times=1)
    alone = asked(world, "501")
    world.turns(30, minutes=1)
    assert world.request(alone).state == State.CARD_SENT
    assert (messages(world, "dm"), messages(world, "card")) == (1, 1)


def test_a_card_that_never_arrived_is_still_sent_where_the_list_shows_cards(world_of: Any) -> None:
    world: World = world_of(OFF)
    asked(world, "501")
    world.turns(10, minutes=1)
    world.fault(endpoint=CREATE, fault="drop_before", times=1)
    again = asked(world, "502")
    world.turns(20, minutes=1)
    assert world.request(again).state == State.CARD_SENT
    assert (messages(world, "dm"), messages(world, "card")) == (2, 2)


class Cut(Dropping):
    """An X whose list shows the newest six messages and says that this is all."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        found = super().handle_request(request)
        if not request.url.path.endswith("/events/list.json"):
            return found
        return httpx.Response(200, json={"events": json.loads(found.read())["events"][:6]}, request=request)


def test_a_list_that_ends_early_proves_nothing_of_what_lies_behind_its_end(world_of: Any) -> None:
    world: World = world_of(OFF, accounts__acme__list_lag="10s")
    world.clients["acme"] = world.client("acme", Cut(httpx.WSGITransport(app=world.x_app)))
    asked(world, "501")
    world.turns(10, minutes=1)
    world.fault(endpoint=NEW, fault="status_after_commit", times=1)
    unclear = asked(world, "502")
    world.run()
    world.forward(seconds=1)
    for number in (601, 602, 603):
        asked(world, str(number))
    long_go_on(world)
    assert (got(world, "502", "dm"), got(world, "603", "card")) == (1, 1)
    assert (world.request(unclear).state, world.request(unclear).reason) == (State.UNKNOWN, "unclear_send")


class Empty(Dropping):
    """An X whose list comes out empty."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events/list.json"):
            return httpx.Response(200, json={"events": []}, request=request)
        return super().handle_request(request)


def test_where_nothing_is_known_an_empty_list_costs_one_customer_a_second_message_and_not_everybody(
    world_of: Any,
) -> None:
    """The first messages of an account. A repeat that X answers is known, and missing in the list once it settled."""
    world: World = world_of(OFF)
    world.clients["acme"] = world.client("acme", Empty(httpx.WSGITransport(app=world.x_app)))
    world.fault(endpoint=NEW, fault="status_after_commit", times=5)
    for number in range(501, 506):
        asked(world, str(number))
    long_go_on(world)
    assert sorted(got(world, str(number), "dm") for number in range(501, 506)) == [1, 1, 1, 1, 2]


def test_where_nothing_is_known_nobody_has_a_message_more_than_three_times(world_of: Any) -> None:
    """X answers no send for a day, and lists none: it has them all."""
    world: World = world_of(OFF)
    world.clients["acme"] = world.client("acme", Empty(httpx.WSGITransport(app=world.x_app)))
    world.fault(endpoint=NEW, fault="status_after_commit", times=1000)
    requests = [asked(world, str(number)) for number in (501, 502, 503)]
    world.turns(240, minutes=1)
    assert max(got(world, str(number), "dm") for number in (501, 502, 503)) == 3
    assert {world.request(each).reason for each in requests} == {"unclear_send"}


@pytest.mark.parametrize(("endpoint", "kind"), [(NEW, "dm"), (CREATE, "card")])
def test_what_never_arrived_is_sent_again_for_one_and_then_for_all(world_of: Any, endpoint: str, kind: str) -> None:
    world: World = world_of(OFF)
    world.fault(endpoint=endpoint, fault="drop_before", times=5)
    requests = [asked(world, str(number)) for number in range(501, 506)]
    world.turns(30, minutes=1)
    assert {world.request(each).state for each in requests} == {State.CARD_SENT}
    assert [got(world, str(number), kind) for number in range(501, 506)] == [1] * 5


def test_a_card_x_tells_of_was_sent_whatever_its_list_showed(world_of: Any) -> None:
    """There is no opening, so the card alone keeps its customer from being asked again."""
    world: World = world_of({"card_dm_in_list": False})
    world.fault(endpoint=CREATE, fault="status_after_commit", times=1)
    first = asked(world, "501", opening_text=None)
    world.turns(10, minutes=1)
    assert {each.outcome for each in world.attempts(first)} == {"not_sent"}
    appeared(world, first, "777")
    world.turns(60, minutes=1)
    assert (world.request(first).state, world.request(first).feedback_id) == (State.CARD_SENT, "777")
    assert (world.attempts(first)[0].outcome, world.attempts(first)[0].evidence) == ("sent", "feedback")
    world.forward(days=2)
    again = ready(world, conversation_id="c-again", x_user_id="501", opening_text=None)
    world.run()
    assert world.request(again).reason == "cooldown"


class LeavesOut(Dropping):
    """An X that has every message to 502, answers each of them on one path with an error, and lists none of them."""

    def __init__(self, world: World, path: str) -> None:
        super().__init__(httpx.WSGITransport(app=world.x_app))
        self._path = path

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        found = super().handle_request(request)
        if request.url.path.endswith(f"{self._path}.json") and b"502" in request.content:
            return httpx.Response(503, request=request)
        if not request.url.path.endswith("/events/list.json"):
            return found
        listed = [each for each in json.loads(found.read())["events"] if "502" not in json.dumps(each)]
        return httpx.Response(200, json={"events": listed}, request=request)


@pytest.mark.parametrize(("path", "most"), [(NEW, (3, 0)), (CREATE, (1, 1))])
def test_a_list_that_leaves_out_one_customer_does_not_have_us_write_to_them_again_and_again(
    world_of: Any, path: str, most: tuple[int, int]
) -> None:
    """Whoever reads in an encrypted chat, perhaps. The opening controls the card; of openings, that others arrive."""
    world: World = world_of(OFF)
    world.clients["acme"] = world.client("acme", LeavesOut(world, path))
    asked(world, "601")
    world.turns(10, minutes=1)
    left_out = asked(world, "502")
    for number in range(602, 642, 2):
        asked(world, str(number))
        asked(world, str(number + 1))
        world.turns(1, minutes=1)
    world.turns(120, minutes=1)
    assert (got(world, "502", "dm"), got(world, "502", "card")) == most
    assert (world.request(left_out).state, world.request(left_out).reason) == (State.UNKNOWN, "unclear_send")
    assert got(world, "641", "card") == 1


def test_a_customer_left_out_is_not_written_to_again_and_again_while_nobody_else_is_either(world_of: Any) -> None:
    """In the night, say: no other message tells that X is well, nor that it is not."""
    world: World = world_of(OFF)
    world.clients["acme"] = world.client("acme", LeavesOut(world, NEW))
    asked(world, "601")
    world.turns(10, minutes=1)
    left_out = asked(world, "502")
    world.turns(200, minutes=1)
    assert (got(world, "502", "dm"), got(world, "502", "card")) == (3, 0)
    assert (world.request(left_out).state, world.request(left_out).reason) == (State.UNKNOWN, "unclear_send")


class Unwell(Dropping):
    """An X that takes one of so many messages, and answers the others with an error."""

    taken_of, asked = 1, 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += request.method == "POST"
        if request.method == "POST" and self.asked % self.taken_of:
            return httpx.Response(503, request=request)
        return super().handle_request(request)


@pytest.mark.parametrize("taken_of", [3, 1000])
def test_what_x_takes_of_few_for_an_hour_is_sent_to_all_in_the_end(world_of: Any, taken_of: int) -> None:
    world: World = world_of(OFF)
    world.clients["acme"] = world.client("acme", unwell := Unwell(httpx.WSGITransport(app=world.x_app)))
    asked(world, "601")
    world.turns(10, minutes=1)
    unwell.taken_of = taken_of
    requests = []
    for number in range(602, 642, 2):
        requests += [asked(world, str(number)), asked(world, str(number + 1))]
        world.turns(3, minutes=1)
    assert max(len(world.attempts(each)) for each in requests) > 4
    unwell.taken_of = 1
    world.turns(240, minutes=1)
    assert {world.request(each).state for each in requests} == {State.CARD_SENT}


def test_where_x_takes_nothing_for_hours_the_few_of_a_quiet_account_are_sent_in_the_end(world_of: Any) -> None:
    """One every half an hour: what is known of X between two sends of one is what became of the next one's."""
    world: World = world_of(OFF)
    world.clients["acme"] = world.client("acme", unwell := Unwell(httpx.WSGITransport(app=world.x_app)))
    asked(world, "601")
    world.turns(30, minutes=1)
    unwell.taken_of = 1000
    requests = []
    for number in (602, 603, 604):
        requests.append(asked(world, str(number)))
        world.turns(30, minutes=1)
    unwell.taken_of = 1
    world.turns(240, minutes=1)
    assert {world.request(each).state for each in requests} == {State.CARD_SENT}
    assert {got(world, str(number), "dm") for number in (602, 603, 604)} == {1}


# -- which message must be there

MINUTE, HOUR, DAY, TICK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)
WHOLE = Listing((), EVER, readable=True, read_at=START)


def known(world: World, ago: timedelta, user_id: str = "501", x_id: str = "9") -> None:
    """A message of which X gave us the id, sent and done with so long ago."""
    request_id = world.ended(f"c-{x_id}", x_user_id=user_id, dm_event_id=x_id)
    at = {"intended_at": START - ago, "settled_at": START - ago}
    row = {"id": f"sa_{x_id}", "request_id": request_id, "account": "acme", "x_user_id": user_id, "kind": "dm"}
    with writing(world.engine) as connection:
        connection.execute(sa.insert(send_attempt).values(**row, **at, outcome="sent"))


@pytest.mark.parametrize(("lag", "ago", "by_now"), [(5, 19, False), (5, 20, True), (180, 419, False), (180, 420, True)])
def test_the_next_is_believed_once_the_last_ones_repeat_is_in_the_list(
    world_of: Any, lag: int, ago: int, by_now: bool
) -> None:
    world: World = world_of()
    at = {"intended_at": START - HOUR, "settled_at": START - timedelta(seconds=ago)}
    row = {"id": "sa_1", "request_id": world.ended(), "account": "acme", "x_user_id": "502", "kind": "dm"}
    with writing(world.engine) as connection:
        connection.execute(sa.insert(send_attempt).values(**row, **at, outcome="not_sent", evidence="dm_list"))
    account = replace(world.settings.accounts["acme"], list_lag=timedelta(seconds=lag))
    attempt = Attempt("sa_2", "fr_2", "acme", "501", Kind.OPENING, START - HOUR, None)
    [held] = held_to_what_we_know(world.engine, account, [(request_of(START), attempt, WHOLE)])
    assert (held.readable, held.problem) == (by_now, None if by_now else "nothing_known")


MISSED, REFUSED = {"outcome": "not_sent", "evidence": "dm_list"}, {"outcome": "not_sent", "evidence": "refused"}


def put(world: World, count: int, ago: timedelta, columns: Mapping[str, Any]) -> None:
    """A send to each of so many others begun so long ago, which X answered, if nothing else is said."""
    row = {"account": "acme", "x_user_id": "502", "kind": "dm", "outcome": "sent", "intended_at": START - ago}
    rows = [{"id": new_id("sa", START), **row, "request_id": f"fr_{each}", **columns} for each in range(count)]
    with writing(world.engine) as connection:
        connection.execute(sa.insert(send_attempt), rows)


@pytest.mark.parametrize(
    ("missed", "others", "alone"),
    [
        (2, [], True),
        (1, [], False),
        (2, [(1, MINUTE, MISSED)], False),
        (2, [(1, MINUTE, {"outcome": None})], False),
        (2, [(1, MINUTE, REFUSED)], True),
        (2, [(1, MINUTE, MISSED), (10, MINUTE, {})], True),
        (2, [(1, MINUTE, MISSED), (9, MINUTE, {})], False),
        (2, [(1, MINUTE, MISSED), (10, HOUR - TICK, {})], True),
        (2, [(1, MINUTE, MISSED), (10, HOUR, {})], False),
        (2, [(1, MINUTE, MISSED), (10, TICK, {})], True),
        (2, [(1, MINUTE, MISSED), (10, -MINUTE, {})], True),
        (2, [(1, -MINUTE, {"outcome": None})], False),
        (2, [(1, MINUTE, MISSED), (10, MINUTE, {"account": "other"})], False),
        (2, [(1, MINUTE, MISSED), (10, MINUTE, {"kind": "card"})], False),
        (2, [(1, MINUTE, MISSED), (10, MINUTE, {"request_id": "fr_mine"})], False),
        (2, [(2, MINUTE, MISSED), (19, MINUTE, {})], False),
        (2, [(2, MINUTE, MISSED), (20, MINUTE, {})], True),
        (2, [(1, MINUTE, MISSED), (1, HOUR / 4, MISSED), (10, MINUTE, {})], True),
    ],
)
def test_a_message_strays_alone_if_it_was_missed_twice_unless_more_than_one_in_ten_others_is_in_doubt(
    world: World, missed: int, others: list[tuple[int, timedelta, dict[str, Any]]], *, alone: bool
) -> None:
    for each in ("mine", *range(20)):
        world.ended(f"c-{each}", id=f"fr_{each}")
    for number in range(missed):
        put(world, 1, HOUR / (1 + number), {"request_id": "fr_mine", **MISSED})
    for each in others:
        put(world, *each)
    attempt = Attempt("sa_0", "fr_mine", "acme", "501", Kind.OPENING, START, None)
    with reading(world.engine) as connection:
        assert sends.strays_alone(connection, attempt, nothing_known=False) is alone
        assert sends.strays_alone(connection, attempt, nothing_known=True) is (missed > 1)


def believed(world: World, listing: Listing = WHOLE, api: str = "v1.1", **columns: Any) -> bool:
    account = replace(world.settings.accounts["acme"], list_lag=3 * MINUTE, api=api)
    attempt = Attempt("sa_2", "fr_2", "acme", "501", Kind.OPENING, START - HOUR, None)
    [held] = held_to_what_we_know(world.engine, account, [(request_of(START, **columns), attempt, listing)])
    assert held.problem == (None if held.readable else "hides_ours")
    return held.readable


@pytest.mark.parametrize(
    ("ago", "must_be_there"),
    [
        (5 * MINUTE, True),
        (5 * MINUTE - TICK, False),
        (29 * DAY - 2 * MINUTE - TICK, True),
        (29 * DAY - 2 * MINUTE, False),
    ],
)
def test_a_message_must_be_listed_from_the_lag_and_what_clocks_differ_to_the_end_of_x_s_list(
    world: World, ago: timedelta, must_be_there: bool
) -> None:
    assert believed(world), "where nothing is known, a list is believed"
    known(world, ago)
    assert believed(world) is not must_be_there
    assert believed(world, replace(WHOLE, messages=(DirectMessage("9"),))), "shown, whatever else is"
    assert believed(world, replace(WHOLE, messages=(DirectMessage("8"), DirectMessage("9"))))


@pytest.mark.parametrize(
    ("ago", "x_id", "must_be_there"),
    [
        (5 * MINUTE, "9", True),
        (5 * MINUTE - TICK, "9", False),
        (29 * DAY - 2 * MINUTE - TICK, "9", True),
        (29 * DAY - 2 * MINUTE, "9", False),
        (HOUR, None, False),
    ],
)
def test_their_own_opening_must_be_listed_as_long_if_x_gave_its_id(
    world: World, ago: timedelta, x_id: str | None, must_be_there: bool
) -> None:
    opened = {"dm_event_id": x_id, "dm_sent_at": START - ago}
    assert believed(world, **opened) is not must_be_there
    assert believed(world, replace(WHOLE, messages=(DirectMessage("9"),)), **opened)


@pytest.mark.parametrize(("back_to", "must_be_there"), [(HOUR + 2 * MINUTE + TICK, True), (HOUR + 2 * MINUTE, False)])
def test_a_list_must_show_messages_surely_within_it(world: World, back_to: timedelta, must_be_there: bool) -> None:
    known(world, HOUR)
    assert believed(world, replace(WHOLE, back_to=START - back_to)) is not must_be_there


def test_what_was_sent_before_must_be_there_too_for_only_that_shows_how_far_a_list_goes(world: World) -> None:
    known(world, 10 * MINUTE, x_id="9")
    shown = replace(WHOLE, messages=(DirectMessage("9"),))
    assert believed(world, shown)
    known(world, HOUR - TICK, x_id="8")
    assert believed(world, shown), "that came later"
    known(world, HOUR, x_id="7")
    assert not believed(world, shown)
    assert believed(world, replace(WHOLE, messages=(DirectMessage("9"), DirectMessage("7"))))


def test_a_list_held_to_nothing_is_believed_of_the_first_send_unless_another_persons_was_held(world: World) -> None:
    account = replace(world.settings.accounts["acme"], api="v2")
    attempt = Attempt("sa_2", "fr_2", "acme", "501", Kind.OPENING, START - HOUR, None)
    dated = replace(WHOLE, back_to=START - 2 * HOUR)
    found = [(request_of(START), attempt, each) for each in (dated, WHOLE, dated, WHOLE)]
    held = held_to_what_we_know(world.engine, account, found)
    assert [each.problem for each in held] == [None, None, None, "nothing_known"]
    assert not held[-1].readable
    assert held_to_what_we_know(world.engine, account, found, controlled={"sa_2"}) == [each for _, _, each in found]


@pytest.mark.parametrize(
    ("kind", "way", "must_be_there"), [("card", "card", True), ("card", "page", False), ("dm", "page", True)]
)
def test_a_card_is_looked_for_where_cards_and_openings_of_any_way_are_listed(
    world: World, kind: str, way: str, must_be_there: bool
) -> None:
    world.ended("c-9", id="fr_0", way=way, dm_event_id="8", card_dm_id="9")
    put(world, 1, HOUR, {"kind": kind, "settled_at": START - HOUR})
    attempt = Attempt("sa_2", "fr_2", "acme", "501", Kind.ASKING, START - HOUR, None)
    [held] = held_to_what_we_know(world.engine, world.settings.accounts["acme"], [(request_of(START), attempt, WHOLE)])
    assert held.problem == ("hides_ours" if must_be_there else None)


@pytest.mark.parametrize(("api", "whom", "must_be_there"), [
    ("v1.1", "501", True), ("v1.1", "502", True), ("v2", "501", True), ("v2", "502", False),
])  # fmt: skip
def test_v2_has_a_list_with_each_person(world: World, api: str, whom: str, must_be_there: bool) -> None:
    known(world, HOUR, whom)
    assert believed(world, api=api) is not must_be_there
