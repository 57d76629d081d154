"""Answers as cells: in, what a figure is asked about; out, how many answers fell on each day, score and group.

One statement reads all that protection needs: the selection and everything it could be subtracted from. Therefore the
statement does not apply the figure's own filters or period; `protection` does, on the cells. Never shows anything.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.errors import Invalid
from service.models import feedback_request, result
from service.reports.counting.zones import day_of, local_day, local_hour
from service.reports.filters import Filter
from service.reports.visible import View

f = feedback_request.c
r = result.c
Dimension = Literal["account", "team", "agent", "campaign", "variant", "source", "language", "hour"]
Value = str | int | None

COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    "account": f.account,
    "team": f.team_id,
    "agent": f.agent_id,
    "campaign": f.campaign,
    "variant": f.question_variant_id,
    "source": f.source,
    "language": f.language,
}
BY = ("team", "agent", "campaign", "variant", "source", "language", "hour", "account")
PEOPLE: tuple[Dimension, ...] = ("account", "team", "agent")


@dataclass(frozen=True, slots=True)
class Cell:
    """So many answers with this score on this day in this group; `values` are aligned with the dimensions asked."""

    day: date
    variant: int | None
    score: int
    values: tuple[Value, ...]
    n: int


def cells_of(
    connection: Connection,
    view: View,
    dimensions: Sequence[Dimension],
    types: Sequence[str],
    clock: str,
    zone: ZoneInfo,
) -> Mapping[str, list[Cell]]:
    """Read the cells of each kind of card. `clock` names the moment that decides the day."""
    moment = _moments(view)[clock]
    columns = [
        f.type.label("type"),
        local_day(moment, zone).label("day"),
        f.question_variant_id.label("variant"),
        view.score.label("score"),
        *(_column(each, moment, zone).label(f"d{i}") for i, each in enumerate(dimensions)),
    ]
    inner = result.join(feedback_request, f.id == r.request_id)
    query = (
        sa.select(*columns, sa.func.count())
        .select_from(inner)
        .group_by(*(sa.text(str(i + 1)) for i in range(len(columns))))
    )
    ours = [view.from_answers, view.mine, view.came, f.test.is_(False), view.score.is_not(None), moment.is_not(None)]
    if types:
        ours.append(f.type.in_(types))
    found: dict[str, list[Cell]] = defaultdict(list)
    days: dict[int, date] = {}
    for kind, day, variant, score, *values, n in connection.execute(query.where(*ours)):
        if kind is not None:
            if day not in days:
                days[day] = day_of(day)
            found[kind].append(Cell(days[day], variant, score, tuple(values), n))
    return found


def wanted(filter: Filter) -> Mapping[Dimension, frozenset[Value]]:
    """The filters of a figure as values per dimension. Raises Invalid for filters that figures do not take.

    An arbitrary set of rows (ids, one score, one state, "changed since") is a tool for subtraction, not a question.
    """
    for name in (
        "scores",
        "states",
        "reasons",
        "request_ids",
        "conversation_ids",
        "has_text",
        "answered",
        "updated_since",
    ):
        if getattr(filter, name) not in ((), None):
            raise Invalid(
                "filter_not_for_figures",
                f"Figures cannot be narrowed by '{name}'; they take account, campaign, source, team_id, agent_id, "
                "type, question_variant_id, language and a period.",
            )
    chosen: dict[Dimension, Sequence[Value]] = {
        "account": filter.accounts,
        "team": filter.teams,
        "agent": filter.agents,
        "campaign": filter.campaigns,
        "variant": filter.variants,
        "source": filter.sources,
        "language": filter.languages,
    }
    return {name: frozenset(None if v == "" else v for v in values) for name, values in chosen.items() if values}


def dimensions_of(chosen: Mapping[Dimension, frozenset[Value]], by: str | None) -> tuple[Dimension, ...]:
    """What the cells must be split by. An agent comes with its team and account: their totals are published too."""
    asked: set[Any] = set(chosen) | ({by} if by else set())
    if "agent" in asked:
        asked |= {"team"}
    if "team" in asked:
        asked |= {"account"}
    every: tuple[Dimension, ...] = (*PEOPLE, "campaign", "variant", "source", "language", "hour")
    return tuple(each for each in every if each in asked)


def _moments(view: View) -> Mapping[str, sa.ColumnElement[Any]]:
    return {
        "scored_at": view.score_at,
        "sent_at": f.card_sent_at,
        "ended_at": f.ended_at,
        "updated_at": r.updated_at,
    }


def _column(name: str, moment: sa.ColumnElement[Any], zone: ZoneInfo) -> Any:
    return local_hour(moment, zone) if name == "hour" else COLUMNS[name]
