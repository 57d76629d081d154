"""What figures need to know of one conversation, as frozen facts and in a short form.

The short form is stored with each request as `counted`: what the roll-ups hold of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import from_micros, to_micros
from service.models import feedback_request, result, tally
from service.reports.dimensions import DIMENSIONS, Value
from service.reports.visible import SCORED_AT, in_general
from service.states import OPEN_STATES, State

fr = feedback_request.c
res = result.c
CLOCKS = ("ended_at", "sent_at", "scored_at")
OPEN = "open"
HELD = tuple(each.name for each in DIMENSIONS if each.name in tally.c and each.column is not None)
"""The dimensions that roll-ups hold, in the order of the short form."""

COLUMNS = {each.name: each.column for each in DIMENSIONS if each.column is not None}
STATE = sa.case((fr.state.in_([state.value for state in OPEN_STATES]), OPEN), else_=fr.state)
REASON = sa.case((fr.state.in_((State.SKIPPED.value, State.FAILED.value)), fr.reason))
"""Why a conversation waits is no reason why it was not asked."""

AMONG = fr.id.in_(sa.bindparam("ids", expanding=True, type_=fr.id.type))


@dataclass(frozen=True, slots=True)
class Facts:
    """One conversation. `values` are aligned with HELD, `moments` with CLOCKS (None if there is none)."""

    values: tuple[Value, ...]
    type: str | None
    state: str
    reason: str | None
    moments: tuple[datetime | None, ...]
    score: int | None
    answered: bool
    commented: bool

    @property
    def groups(self) -> Mapping[str, Value]:
        """Its group in each dimension."""
        return dict(zip(HELD, self.values, strict=True))

    def short(self, generation: int) -> list[Any]:
        """The short form, as it stands beside the request."""
        micros = [None if each is None else to_micros(each) for each in self.moments]
        said = (self.type, self.state, self.reason, self.score, int(self.answered), int(self.commented))
        return [generation, *micros, *said, *self.values]


def counted_facts(short: Sequence[Any] | None, generation: int) -> Facts | None:
    """Read the short form; None if nothing is counted, or only by another generation."""
    if short is None or short[0] != generation:
        return None
    moments = tuple(None if each is None else from_micros(each) for each in short[1:4])
    kind, state, reason, score, answered, commented = short[4:10]
    return Facts(tuple(short[10:]), kind, state, reason, moments, score, bool(answered), bool(commented))


def facts_of(
    connection: Connection, cutoff: datetime | None, *which: sa.ColumnElement[bool], ids: Sequence[str] = ()
) -> Iterator[tuple[str, list[Any] | None, Facts | None]]:
    """Yield id, short form and present facts of some requests; no facts for test traffic, which never counts.

    `which`: conditions that are built once (the statement is kept with them), as AMONG, which asks for `ids`. With a
    `cutoff` the facts leave out what an embargo still holds back.
    """
    for row in connection.execute(_statement(which, embargoed=cutoff is not None), {"ids": ids, "cutoff": cutoff}):
        request_id, counted, test, kind, state, reason, ended, sent, scored, score, answered, commented, *values = row
        moments = (ended, sent, scored if score is not None else None)
        found = Facts(tuple(values), kind, state, reason, moments, score, bool(answered), bool(commented))
        yield request_id, counted, None if test else found


@lru_cache(maxsize=16)
def _statement(which: tuple[sa.ColumnElement[bool], ...], *, embargoed: bool) -> sa.Select[Any]:
    view = in_general(embargoed=embargoed)
    score, commented = sa.case((view.came, view.score)), sa.and_(view.came, view.commented)
    query = sa.select(
        fr.id, fr.counted, fr.test, fr.type, STATE, REASON, fr.ended_at, fr.card_sent_at,
        SCORED_AT, score, sa.or_(score.is_not(None), commented), commented, *(COLUMNS[name] for name in HELD),
    )  # fmt: skip
    return query.select_from(feedback_request.outerjoin(result, res.request_id == fr.id)).where(*which)
