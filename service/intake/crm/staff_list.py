"""Reads one page of a CRM's list of staff: ids with names. Stores nothing.

Entries that cannot be read are left out.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from service.crm_api.client import Client
from service.intake.crm.list_page import read_list
from service.intake.definition.crm_lists import Staff
from service.intake.definition.tables import Definition
from service.intake.expressions.compiled import Expression, find
from service.intake.values import fields
from service.text import folded


@dataclass(frozen=True, slots=True)
class StaffPlace:
    """Which page of which list."""

    number: int = 0
    cursor: str | None = None
    page: int = 1


@dataclass(frozen=True, slots=True)
class StaffPage:
    """A page: (kind, id, name) each. `next` None: the last page; after a problem it is the following list's first.

    `problem` as of `ListPage`.
    """

    named: tuple[tuple[str, str, str], ...] = ()
    next: StaffPlace | None = None
    problem: str | None = None
    again_in: timedelta | None = None


def read_staff(definition: Definition, api: Client, at: StaffPlace, now: datetime) -> StaffPage:
    """Ask for one page and read it. Raises nothing."""
    lists = definition.grammar.staff
    here = lists[at.number]
    known = {"cursor": at.cursor or "", "page": str(at.page)}
    page = read_list(definition, here, lambda path: api.get(path, here.headers), known, now)
    following = StaffPlace(at.number + 1) if at.number + 1 < len(lists) else None
    if page.turns(at.cursor):
        following = StaffPlace(at.number, page.next, at.page + 1)
    return StaffPage(tuple(_named(definition, here, page.items)), following, page.problem, page.again_in)


def _named(definition: Definition, here: Staff, items: Iterable[Any]) -> Iterator[tuple[str, str, str]]:
    for each in items:
        context = {"i": each, "v": definition.grammar.values}
        person_id, name = _text(here.id, context), _text(here.name, context)
        if person_id and name and folded(person_id) not in definition.grammar.people.nobody:
            yield here.kind, person_id, " ".join(name.split())


def _text(expression: Expression, context: Mapping[str, Any]) -> str | None:
    try:
        return fields.text(find(expression, context))
    except fields.NotText:
        return None
