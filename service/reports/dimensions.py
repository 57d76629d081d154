"""What answers and conversations can be grouped and filtered by: one line per dimension, all else derives from it.

Filters and parameters, schemas and their sentences, breakdowns, the dashboard's tabs and choices, what the roll-ups
hold. A dimension without a column in `tally` is correct from the start, counted from the ledger; the column makes it
fast.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from service.language_tags import called_now, ever_called
from service.models import HANDLED_BY, feedback_request
from service.requests.rows import ASKED_BY
from service.ways import HANDED_OVER, WAYS

fr = feedback_request.c
Value = str | int | None
"""A group's name; None: conversations without one."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """One way to group conversations. `parameter` None: figures can be split by it, not filtered."""

    name: str
    parameter: str | None
    column: sa.ColumnElement[Any] | None
    label: str
    says: str
    missing: str | None = None  # None: every conversation has one
    people: bool = False  # its groups are people, or teams of them: too small ones are not named
    whole_number: bool = False
    choices: bool = False  # few enough names to choose from
    tags: bool = False  # its names are tags of languages, of which some have changed
    words: tuple[str, ...] = ()  # all names there can be, where that is known

    def called(self, value: Value) -> Value:
        """A group by its name of today."""
        return called_now(value) if self.tags and isinstance(value, str) else value

    def held(self, values: Collection[Value]) -> Collection[Value]:
        """These groups as the ledger may hold them."""
        if not self.tags:
            return values
        return [tag for each in values for tag in ([None] if each is None else ever_called(str(each)))]

    def named(self, values: Collection[Value]) -> list[Value]:
        """Those of them that have a name, as the ledger may hold them."""
        return [each for each in self.held(values) if each is not None]


def is_among(column: sa.ColumnElement[Any], named: Any, *, without: bool) -> sa.ColumnElement[bool]:
    """As SQL: conversations in a group of these names (values, or a parameter); `without`: or in none."""
    found = column.in_(named)
    return sa.or_(found, column.is_(None)) if without else found


DIMENSIONS = (
    Dimension(
        "team", "team_id", fr.team_id, "Team", "The team when the conversation ended", "without a team",
        people=True, choices=True,
    ),
    Dimension(
        "agent", "agent_id", fr.agent_id, "Agent", "The agent when the conversation ended", "without an agent",
        people=True, choices=True,
    ),
    Dimension("campaign", "campaign", fr.campaign, "Campaign", "Campaign", "without a campaign", choices=True),
    Dimension(
        "variant", "question_variant_id", fr.question_variant_id, "Question", "X's question variant", "not asked",
        whole_number=True,
    ),
    Dimension(
        "way", "way", ASKED_BY, "Way of asking", "How the customer was asked", "not asked", choices=True,
        words=(*WAYS, HANDED_OVER),
    ),
    Dimension(
        "handled_by", "handled_by", fr.handled_by, "Handled by",
        "Who handled the conversation", "not said", choices=True, words=HANDLED_BY,
    ),
    Dimension("source", "source", fr.source, "Source", "The CRM, by its name in the settings"),
    Dimension(
        "language", "language", fr.language, "Language", "Language of the conversation", "without a language",
        choices=True, tags=True,
    ),
    Dimension("channel", "channel", fr.channel, "Channel", "Channel of the conversation", "without a channel"),
    Dimension("hour", None, None, "Hour of day", "Hour of the day, on the clock of the figure", whole_number=True),
    Dimension(
        "account", "account", fr.account, "X account", "The X account, by its name in the settings", choices=True
    ),
)  # fmt: skip
NAMED: Mapping[str, Dimension] = {each.name: each for each in DIMENSIONS}
if len(NAMED) < len(DIMENSIONS):
    raise ValueError("Two dimensions share a name.")
BY = tuple(NAMED)
FILTERED: Mapping[str, Dimension] = {each.parameter: each for each in DIMENSIONS if each.parameter is not None}
"""By their parameters."""
PEOPLE = tuple(each.name for each in DIMENSIONS if each.people)
ACCOUNT_AND_PEOPLE = ("account", *PEOPLE)
"""Agents are in teams, and teams in accounts."""
COVERED = (*PEOPLE, "way")
"""What coverage is told by."""
