"""A small chaos run on both databases, and what its verdict must not let pass."""

import io
import json
from datetime import datetime
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy.engine import Engine

from tests.chaos import view
from tests.chaos.plan import draw
from tests.chaos.run import run
from tests.chaos.verdict import judge
from tests.processes import ledger

SEED = 20_261_122


@pytest.mark.timeout(900)  # ten people are erased through kills and outages, each of which takes its time
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_nothing_is_lost_and_nothing_sent_twice_whatever_dies(database: str) -> None:
    console = Console(file=io.StringIO())
    figures = run(
        database, workers=2, conversations=60, kills=6, seed=SEED, seconds=8, scale=100, settle_within_s=150,
        waits_at_crms=False, console=console,
    )  # fmt: skip
    view.show(console, figures)
    print(json.dumps(figures.as_json(), indent=2))
    assert figures.verdict.holds, figures.verdict
    assert sum(figures.kills.values()) >= 2, "a slow machine leaves time for few of the six"
    # a third of the accounts asks by the card, a third by quick replies, a third by a link
    assert figures.verdict.cards >= 15
    assert figures.verdict.prompts >= 30
    # every fourth customer is looked up in a CRM that has bad luck as well
    assert figures.looked_up["customers"] == 15 <= figures.looked_up["calls"]
    # the web may just be starting again, with its database away, when the end comes; workers always drain
    assert {code for name, code in figures.exit_codes.items() if name != "web"} == {0}


def test_the_same_seed_draws_the_same_plan() -> None:
    assert draw(7, 500, 20, 4, 60) == draw(7, 500, 20, 4, 60) != draw(8, 500, 20, 4, 60)
    assert sum(strike.processes for strike in draw(7, 500, 20, 4, 60).strikes) == 20


def card(request_id: str, number: int, to: str = "5000") -> dict[str, Any]:
    return {"id": str(number), "external_id": request_id, "from": "1", "to": to, "dm_id": str(number + 1)}


def opening(number: int, to: str = "5000") -> dict[str, Any]:
    return {"id": str(number), "sender": "1", "recipient": to, "via": "dm", "text": "Thanks for writing."}


def prompt(number: int, to: str = "5000") -> dict[str, Any]:
    return {**opening(number, to), "text": f"How did we do? Answer here: http://127.0.0.1:8000/f/{'a' * 22}"}


def test_the_verdict_finds_every_broken_promise(sqlite_engine: Engine) -> None:
    (sent,) = ledger.ended(sqlite_engine, state="card_sent", dm_event_id="9", feedback_id="20", card_dm_id="21")
    (skipped,) = ledger.ended(sqlite_engine, first=1, state="skipped", reason="cooldown")
    ledger.ended(sqlite_engine, first=2)
    messages = [opening(9), {"id": "21", "sender": "1", "recipient": "5000", "via": "card", "text": ""}]
    good = judge(
        sqlite_engine, {"c-0", "c-1"}, {"c-0", "c-1", "c-2"}, {"messages": messages, "cards": [card(sent, 20)]}
    )
    assert (good.lost, good.openings_twice, good.cards_twice, good.contradictions) == (0, 0, 0, ())
    assert good.without_outcome == 1
    assert not good.holds

    bad = judge(
        sqlite_engine,
        {"c-0", "c-7"},
        {"c-0", "c-1", "c-7"},
        {
            "messages": [opening(9), opening(10), prompt(11), prompt(12)],
            "cards": [card(sent, 20), card(sent, 22), card(skipped, 30, "5001")],
        },
    )
    assert (bad.lost, bad.openings_twice, bad.cards_twice, bad.prompts_twice) == (1, 1, 1, 1)
    told = " ".join(bad.contradictions)
    assert "c-2: nobody sent us this conversation" in told
    assert f"{skipped}: skipped (cooldown), and X holds a card" in told
    assert f"{sent}: 21 is no message of X" in told


def test_the_verdict_excuses_only_erased_conversations(sqlite_engine: Engine, now: datetime) -> None:
    ledger.ended(sqlite_engine, state="skipped", reason="opted_out", conversation_id="erased_1", erased_at=now)
    nothing: dict[str, Any] = {"messages": [], "cards": []}
    theirs = frozenset({"c-0", "c-1"})
    found = judge(sqlite_engine, {"c-0"}, {"c-0"}, nothing, theirs)
    assert (found.lost, found.contradictions) == (0, ())
    assert judge(sqlite_engine, {"c-0", "c-1"}, {"c-0", "c-1"}, nothing, theirs).lost == 1, "one row, two conversations"
    assert judge(sqlite_engine, {"c-0", "c-2"}, {"c-0", "c-2"}, nothing, theirs).lost == 1, "nobody erased this one"
