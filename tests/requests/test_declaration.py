"""What is declared once about states is what databases, steps and every surface hold."""

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service import states
from service.db import reading, writing
from service.models import IS_UNPROVEN, feedback_request, send_attempt
from service.outreach.prepare import NEXT
from service.outreach.steps import STEPS
from service.requests.outcomes import Learnt, Plan
from service.requests.request import Attempt, Request
from service.states import (
    BY_HAND,
    END_STATES,
    FORWARD,
    OPEN_STATES,
    PROVEN,
    PROVEN_UNSENT,
    UNCLEAR,
    Doubt,
    Failure,
    Reason,
    Skip,
    State,
    for_every_open_state,
    sentence_of,
)
from tests.support import START, request_row

LIVE = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes",
}


def conditions(engine: Engine) -> dict[str, str]:
    """The conditions of the partial indexes that the database really has."""
    with reading(engine) as connection:
        return {
            name: text.partition("WHERE")[2] for name, text in connection.exec_driver_sql(LIVE[engine.dialect.name])
        }


def words(condition: str) -> set[str]:
    return set(re.findall(r"'(\w+)'", condition))


def test_the_live_indexes_hold_the_declared_states(engine: Engine) -> None:
    live = conditions(engine)
    assert words(live["ix_feedback_request_due"]) == {state.value for state in OPEN_STATES}
    begun = {State.DM_SENT.value, State.DM_ALLOWED.value, UNCLEAR, PROVEN_UNSENT}
    assert words(live["ix_feedback_request_begun"]) == begun
    assert words(live["ix_feedback_request_unproven"]) == {"card", *(state.value for state in State if PROVEN[state])}


PROVABLE = ({"state": "unknown"}, {"state": "card_sent"}, {"state": "card_sent", "way": "card"})
PROVEN_OR_NEVER: tuple[dict[str, Any], ...] = (
    *({"state": "card_sent", "way": way} for way in ("page", "quick_reply", "handed_over")),
    *({**each, "erased_at": START} for each in PROVABLE),
    {"state": "card_sent", "feedback_id": "7"},
    {"state": "failed"},
)


def test_only_requests_whose_card_may_still_appear_are_scanned(engine: Engine) -> None:
    rows = [request_row(START, conversation_id=f"c-{n}", **each) for n, each in enumerate(PROVABLE + PROVEN_OR_NEVER)]
    with writing(engine) as connection:
        for row in rows:
            connection.execute(sa.insert(feedback_request).values(row))
    where = conditions(engine)["ix_feedback_request_unproven"]
    with reading(engine) as connection:
        held = set(connection.exec_driver_sql(f"SELECT id FROM feedback_request WHERE {where}").scalars())
        asked = set(connection.scalars(sa.select(feedback_request.c.id).where(IS_UNPROVEN)))
    assert held == asked == {row["id"] for row in rows[: len(PROVABLE)]}


def test_every_state_is_open_or_an_end_and_every_open_one_leads_to_an_end() -> None:
    assert set(OPEN_STATES) | set(END_STATES) == set(State)
    assert not set(OPEN_STATES) & set(END_STATES)
    for state in OPEN_STATES:
        reached = {state}
        for _ in State:
            reached |= {after for before in reached for after in FORWARD[before]}
        assert reached & set(END_STATES), state
    assert {after for afters in BY_HAND.values() for after in afters} <= set(OPEN_STATES)


def walk(state: State = State.RECEIVED) -> Iterator[State]:
    """The life of a request with which nothing goes wrong."""
    yield state
    for after in state.forward[:1]:
        yield from walk(State(after))


def test_the_life_of_a_request_is_drawn_as_it_is_declared() -> None:
    top = Path(__file__).parents[2]
    drawn = {" -> ": states.__file__, " → ": top / "README.md", " --> ": top / "tests" / "README.md"}
    for arrow, file in drawn.items():
        assert arrow.join(walk()) in Path(file).read_text("utf-8"), file


def test_every_open_state_has_its_decision_and_its_step() -> None:
    assert set(NEXT) == set(STEPS) == set(OPEN_STATES)
    with pytest.raises(KeyError, match="dm_sent"):
        for_every_open_state("STEPS", {state: "" for state in OPEN_STATES if state is not State.DM_SENT})


def test_every_word_has_a_sentence_and_no_word_is_two() -> None:
    reasons = [*Skip, *Failure, *Doubt]
    assert len({reason.value for reason in reasons}) == len(reasons)
    assert all(sentence_of(reason.value).endswith(".") for reason in reasons)
    assert all(state.sentence.endswith(".") for state in State)
    assert sentence_of("delay") == sentence_of(None) == ""


def test_a_word_without_a_sentence_does_not_start() -> None:
    with pytest.raises(TypeError, match="'a_word' needs a sentence"):
        Reason("Without", {"A_WORD": ("a_word",)})


def test_the_typed_classes_name_columns_that_are_there() -> None:
    columns = set(feedback_request.c.keys())
    for shape in (Request, Plan, Learnt):
        assert {field.name for field in fields(shape)} <= columns, shape
    assert {field.name for field in fields(Attempt)} <= set(send_attempt.c.keys())
