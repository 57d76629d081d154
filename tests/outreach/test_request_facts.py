"""The facts around a request: who else asked the same customer since when, and whose messages do not count."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.db import reading, writing
from service.ids import person
from service.models import opt_out, result, send_attempt
from service.outreach.gates import RequestFacts
from service.outreach.request_facts import FactsReader, read_facts
from service.requests.queries import unlocked
from service.states import Kind
from tests.support import START, World

TICK, HOUR = timedelta(microseconds=1), timedelta(hours=1)
SINCE = START - 24 * HOUR
NOTHING = RequestFacts(
    reopened=False, opted_out=False, asked_since=None, unclear_since=None, feedback_id=None, answered=False
)


def seen(world: World, request_id: str) -> RequestFacts:
    with reading(world.engine) as connection:
        request = unlocked(connection, request_id)
        assert request is not None
        return read_facts(connection, request, asked_after=SINCE, hash_key=world.place.hash_key)


def sent(world: World, request_id: str, at: datetime, **columns: Any) -> None:
    row = {"id": f"sa_{at.timestamp()}", "account": "acme", "x_user_id": "501", "kind": Kind.ASKING}
    with writing(world.engine) as connection:
        connection.execute(sa.insert(send_attempt).values(request_id=request_id, intended_at=at, **{**row, **columns}))


@pytest.mark.parametrize(
    ("at", "columns", "counts"),
    [
        (SINCE + TICK, {"outcome": "sent"}, True),
        (SINCE, {"outcome": "sent"}, False),
        (START, {"outcome": None}, True),
        (START, {"outcome": "unknown"}, True),
        (START, {"outcome": "not_sent"}, False),
        (START, {"kind": Kind.OPENING}, True),
        (START, {"kind": Kind.THANKS}, False),
        (START, {"account": "other"}, False),
        (START, {"x_user_id": "502"}, False),
    ],
)
def test_our_messages_for_another_conversation_count(
    world: World, at: datetime, columns: dict[str, Any], counts: bool
) -> None:
    mine, other = world.ended("c-1"), world.ended("c-2")
    sent(world, other, at, **columns)
    assert seen(world, mine).asked_since == (at if counts else None)


@pytest.mark.parametrize(
    ("columns", "counts"),
    [
        ({}, True),
        ({"card_sent_at": SINCE + TICK}, True),
        ({"card_sent_at": SINCE}, False),
        ({"account": "other"}, False),
        ({"x_user_id": "502"}, False),
        ({"way": "page"}, False),
    ],
)
def test_a_link_others_sent_counts_too(world: World, columns: dict[str, Any], counts: bool) -> None:
    mine = world.ended("c-1", way="handed_over", card_sent_at=START)
    world.ended("c-2", **{"way": "handed_over", "card_sent_at": START, **columns})
    assert seen(world, mine).asked_since == (columns.get("card_sent_at", START) if counts else None)


def test_its_own_messages_do_not_count_and_unclear_ones_are_reported(world: World) -> None:
    mine, other = world.ended("c-1"), world.ended("c-2", x_user_id="502")
    assert seen(world, mine) == NOTHING
    sent(world, mine, START, outcome="sent", answered_at=START)
    sent(world, other, START + TICK, x_user_id="502", outcome=None, answered_at=START)
    assert seen(world, mine) == NOTHING
    sent(world, mine, START + HOUR, outcome=None)
    sent(world, mine, START + 2 * HOUR, outcome=None)
    assert seen(world, mine).unclear_since == START + HOUR


@pytest.mark.parametrize(
    ("conversation", "source", "at", "counts"),
    [
        ("c-1", "crm", START, True),
        ("c-1", "crm", START + HOUR, True),
        ("c-1", "crm", START - TICK, False),
        ("c-2", "crm", START, False),
        ("c-1", "other", START, False),
    ],
)
def test_a_conversation_is_reopened_at_its_end_or_later(
    world: World, conversation: str, source: str, at: datetime, counts: bool
) -> None:
    request_id = world.ended("c-1", source=source)
    world.reopened(conversation, at)
    assert seen(world, request_id).reopened is counts


@pytest.mark.parametrize(
    ("whom", "account", "counts"),
    [("501", "acme", True), ("501", "*", True), ("501", "other", False), ("502", "*", False)],
)
def test_an_opt_out_holds_for_the_account_or_for_all(world: World, whom: str, account: str, counts: bool) -> None:
    request_id = world.ended()
    row = {"person": person(world.place.hash_key, whom), "account": account, "reason": "r", "created_by": "me"}
    with writing(world.engine) as connection:
        connection.execute(sa.insert(opt_out).values(**row, created_at=START))
    assert seen(world, request_id).opted_out is counts


def test_the_card_x_told_us_of_is_this_request_s(world: World) -> None:
    times = dict.fromkeys(("x_updated_at", "first_seen_at", "updated_at"), START)
    row = {"first_channel": "webhook", "update_count": 1, "anomalies": 0, **times}
    mine, other = world.ended("c-1"), world.ended("c-2")
    for request_id, feedback_id in ((mine, "77"), (other, "78")):
        with writing(world.engine) as connection:
            connection.execute(sa.insert(result).values(request_id=request_id, feedback_id=feedback_id, **row))
    assert [seen(world, each).feedback_id for each in (mine, other)] == ["77", "78"]


def test_facts_are_read_once_per_transaction_and_customer(world: World) -> None:
    mine, other = world.ended("c-1"), world.ended("c-2", x_user_id="502")
    with writing(world.engine) as connection:
        reader = FactsReader(connection, world.place.hash_key)
        asked, others = (unlocked(connection, each) for each in (mine, other))
        assert asked is not None
        assert others is not None
        first = reader.facts_of(asked, SINCE)
        assert reader.facts_of(asked, SINCE) is first
        assert reader.facts_of(others, SINCE) is not first
        assert reader.facts_of(asked, START) is not first
