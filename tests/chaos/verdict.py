"""Compares three records: what the senders were answered, what the ledger says, what X really holds."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.db import reading
from service.models import feedback_request, send_attempt
from service.states import OPEN_STATES, State
from tests.chaos.ways import asks

r, a = feedback_request.c, send_attempt.c


@dataclass(frozen=True, slots=True)
class Verdict:
    """The four promises, each a count that must be 0, and what explains the rest."""

    lost: int
    openings_twice: int
    cards_twice: int
    without_outcome: int
    contradictions: tuple[str, ...]
    states: dict[str, int]
    unknown: int
    evidence: dict[str, int]
    prompts_twice: int
    prompts: int
    openings: int
    cards: int
    mirrors: tuple[str, ...] = ()  # what mirrors, and the calls of a CRM, have wrong

    @property
    def holds(self) -> bool:
        """All promises kept; and not by sending nothing, or by calling everything unknown."""
        counts = (self.lost, self.openings_twice, self.cards_twice, self.prompts_twice, self.without_outcome)
        broken = any((*counts, self.contradictions, self.mirrors))
        return not broken and self.cards > 0 and self.unknown * 100 <= sum(self.states.values())


def judge(
    engine: Engine, acknowledged: set[str], sent_to_us: set[str], truth: dict[str, Any],
    forgotten: frozenset[str] = frozenset(),
) -> Verdict:  # fmt: skip
    """Compare. `truth` is the sandbox's, with messages and cards; `forgotten` are conversations of erased people."""
    rows, evidence = _ledger(engine)
    kept = [row for row in rows if row.erased_at is None]
    known = Counter(row.conversation_id for row in kept)
    missing = acknowledged - known.keys()
    erased = len(rows) - len(kept)
    ours = [one for one in truth["messages"] if one["via"] == "dm"]
    openings = Counter((one["sender"], one["recipient"]) for one in ours if not asks(one))
    prompts = Counter((one["sender"], one["recipient"]) for one in ours if asks(one))
    cards = Counter((one["from"], one["to"]) for one in truth["cards"])
    states = Counter(f"{row.state}/{row.reason}" if row.reason else str(row.state) for row in rows)
    return Verdict(
        lost=len(missing - forgotten) + max(0, len(missing & forgotten) - erased),
        openings_twice=sum(count - 1 for count in openings.values()),
        cards_twice=sum(count - 1 for count in cards.values()),
        without_outcome=sum(row.state in OPEN_STATES for row in rows),
        contradictions=tuple(_contradictions(kept, known, sent_to_us, truth)),
        states=dict(states.most_common()),
        unknown=sum(row.state == State.UNKNOWN for row in kept),  # X cannot be asked about whom we have forgotten
        evidence=evidence,
        prompts_twice=sum(count - 1 for count in prompts.values()),
        prompts=sum(prompts.values()),
        openings=sum(openings.values()),
        cards=sum(cards.values()),
    )


def _ledger(engine: Engine) -> tuple[list[sa.Row[Any]], dict[str, int]]:
    with reading(engine) as connection:
        columns = (
            r.id,
            r.conversation_id,
            r.state,
            r.reason,
            r.dm_event_id,
            r.feedback_id,
            r.card_dm_id,
            r.way,
            r.erased_at,
        )
        rows = list(connection.execute(sa.select(*columns)))
        died = a.answered_at.is_(None)
        how = connection.execute(
            sa.select(a.outcome, a.evidence, died, sa.func.count()).group_by(a.outcome, a.evidence, died)
        ).all()
    found: Counter[str] = Counter()
    for outcome, by, without_answer, count in how:
        word = f"{outcome} by {by}"
        if by in {"dm_list", "feedback"}:
            word += ", no answer recorded" if without_answer else ", answer unclear"
        found[word] += count
    return rows, dict(found)


def _contradictions(
    rows: list[sa.Row[Any]], known: Counter[str], sent_to_us: set[str], truth: dict[str, Any]
) -> list[str]:
    """Where the ledger tells something else than X holds."""
    cards = {one["external_id"]: one for one in truth["cards"]}
    messages = {one["id"] for one in truth["messages"]}
    found = [f"{each}: nobody sent us this conversation" for each in known.keys() - sent_to_us]
    found += [f"{each}: {count} requests for one end" for each, count in known.items() if count > 1]
    for row in rows:
        card, by_card = cards.get(row.id), row.way in {None, "card"}
        if row.state == State.CARD_SENT and by_card and card is None:
            found.append(f"{row.id}: card_sent, and X holds no card")
        if row.state == State.CARD_SENT and not by_card and row.card_dm_id not in messages:
            found.append(f"{row.id}: card_sent, and X holds no message that asks")
        if row.state in {State.SKIPPED, State.FAILED} and card is not None:
            found.append(f"{row.id}: {row.state} ({row.reason}), and X holds a card")
        if row.feedback_id is not None and (card is None or card["id"] != row.feedback_id):
            found.append(f"{row.id}: its feedback_id is not X's")
        found += [
            f"{row.id}: {each} is no message of X"
            for each in (row.dm_event_id, row.card_dm_id)
            if each and each not in messages
        ]
    return found
