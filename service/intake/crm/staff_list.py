"""Reads one page of a CRM's list of staff: ids with names. Stores nothing.

Entries that cannot be read are left out.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from service.crm_api.client import Client
from service.crm_api.get import OK, CrmResponse, NoAnswer
from service.crm_api.path import Unaskable, filled
from service.crm_api.wait import wait
from service.intake.crm.lookup import REFUSED, problem_of
from service.intake.definition.staff import Staff
from service.intake.definition.tables import Definition
from service.intake.expressions.compiled import PER_DELIVERY, Expression, ExpressionError
from service.intake.expressions.evaluate import Budget, TooCostly
from service.intake.values import fields
from service.text import folded

CURSORS = frozenset({"cursor"})
UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class StaffPlace:
    """Which page of which list."""

    number: int = 0
    cursor: str | None = None
    page: int = 1


@dataclass(frozen=True, slots=True)
class StaffPage:
    """A page: (kind, id, name) each. `next` None: the last page. `problem`: refused | limited | away | other.

    `other` concerns this list alone: `next` is the following one.
    """

    named: tuple[tuple[str, str, str], ...] = ()
    next: StaffPlace | None = None
    problem: str | None = None
    again_in: timedelta | None = None


def read_staff(definition: Definition, api: Client, at: StaffPlace, now: datetime) -> StaffPage:
    """Ask for one page and read it. Raises nothing."""
    lists = definition.grammar.staff
    here = lists[at.number]
    template = here.further if here.further and at.cursor is not None else here.path
    texts = {name: value for name, value in definition.grammar.values.items() if isinstance(value, str)}
    try:
        got = api.get(
            filled(template, {**texts, "cursor": at.cursor or "", "page": str(at.page)}, CURSORS), here.headers
        )
    except Unaskable:
        return StaffPage(next=_next_list(definition, at), problem="other")
    except NoAnswer as error:
        return StaffPage(problem="refused" if error.reason == "refused" else "away")
    if got.status != OK:
        return StaffPage(
            next=_next_list(definition, at), problem=_problem(definition, got), again_in=wait(got.headers, now)
        )
    return _read(definition, here, at, got.value)


def _problem(definition: Definition, got: CrmResponse) -> str:
    """403 and 404 concern only this list: the token may still be allowed to look customers up."""
    if got.status in REFUSED:
        return "refused" if got.status == UNAUTHORIZED else "other"
    return problem_of(definition, got) or "other"


def _read(definition: Definition, here: Staff, at: StaffPlace, answer: Any) -> StaffPage:
    said = {"a": answer, "k": {}}
    items = _found(here.items, said)
    if not isinstance(items, list):
        return StaffPage(next=_next_list(definition, at), problem="other")
    named = tuple(_named(definition, here, items))
    following = _found(here.next, said) if items else None
    if isinstance(following, str) and following and following != at.cursor:
        return StaffPage(named, StaffPlace(at.number, following, at.page + 1))
    if following is True:
        return StaffPage(named, StaffPlace(at.number, None, at.page + 1))
    return StaffPage(named, _next_list(definition, at))


def _next_list(definition: Definition, at: StaffPlace) -> StaffPlace | None:
    return StaffPlace(at.number + 1) if at.number + 1 < len(definition.grammar.staff) else None


def _named(definition: Definition, here: Staff, items: list[Any]) -> Iterator[tuple[str, str, str]]:
    for each in items:
        context = {"i": each, "v": definition.grammar.values}
        person_id, name = _text(here.id, context), _text(here.name, context)
        if person_id and name and folded(person_id) not in definition.grammar.people.nobody:
            yield here.kind, person_id, " ".join(name.split())


def _text(expression: Expression, context: Mapping[str, Any]) -> str | None:
    try:
        return fields.text(_found(expression, context))
    except fields.NotText:
        return None


def _found(expression: Expression | None, context: Mapping[str, Any]) -> Any:
    if expression is None:
        return None
    try:
        return expression.read(context, Budget(PER_DELIVERY))
    except (ExpressionError, TooCostly):
        return None
