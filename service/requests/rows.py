"""Database rows that begin with `REQUEST` or `ATTEMPT` become typed classes, and back.

The only place that knows both. A test compares the fields with the columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from service.at_rest.unreadable import TEXT, WORD, is_unreadable
from service.models import feedback_request, send_attempt
from service.requests.request import Alternative, Attempt, Request
from service.states import OURS_ALONE, Kind, State

CARD = "card"  # how everybody was asked before there were other ways: what a row without a way means
ASKED_BY = sa.case(
    (feedback_request.c.campaign.is_not(None), sa.func.coalesce(feedback_request.c.way, CARD)),
).label("way")
"""The way of asking, as SQL; NULL where no campaign took the conversation, and nobody was to be asked."""

MAY_BE_ASKED_YET = frozenset(reason.value for reason in OURS_ALONE)
ASKED_OR_MAY_BE = sa.or_(
    feedback_request.c.state != State.SKIPPED.value,
    sa.and_(feedback_request.c.reason.is_not(None), feedback_request.c.reason.in_(MAY_BE_ASKED_YET)),
)
"""Requests that have an answer to come, as SQL: all but those skipped for good, by a rule, the customer or a person."""


def request_of(row: Sequence[Any]) -> Request:
    """Make a request from a row that begins with `REQUEST`."""
    read = zip(NAMES, row, strict=False)
    return Request(**{name: READ[name](value) if name in READ else value for name, value in read})


def attempt_of(row: Sequence[Any]) -> Attempt:
    """Make an attempt from a row that begins with `ATTEMPT`."""
    values = dict(zip((field.name for field in fields(Attempt)), row, strict=False))
    return Attempt(**{**values, "kind": Kind(values["kind"])})


def changes_of(before: Request, after: Request) -> dict[str, Any]:
    """Return the columns in which the second differs from the first, with the second's values, for the writer."""
    pairs = zip(NAMES, VALUES(before), VALUES(after), strict=True)
    changed = {name: value for name, was, value in pairs if value != was}
    if "alternatives" in changed:
        changed["alternatives"] = [{"way": each.way, "text": each.text} for each in after.alternatives] or None
    return changed


def _alternatives(stored: Sequence[Mapping[str, str]] | None) -> tuple[Alternative, ...]:
    if is_unreadable(stored):
        return (Alternative(WORD, TEXT),)
    return tuple(Alternative(each["way"], each["text"]) for each in stored or ())


NAMES = tuple(field.name for field in fields(Request))
VALUES = attrgetter(*NAMES)
READ: Mapping[str, Any] = {"state": State, "way": lambda stored: stored or CARD, "alternatives": _alternatives}
REQUEST = tuple(feedback_request.c[name] for name in NAMES)
ATTEMPT = tuple(send_attempt.c[field.name] for field in fields(Attempt))
SELECT = sa.select(*REQUEST)
