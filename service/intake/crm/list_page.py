"""Reads one page of a list that a CRM's API has, of conversations or of staff: the items on it, and where it goes on.

Stores nothing, and knows no item.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from service.crm_api.get import OK, CrmResponse, NoAnswer
from service.crm_api.path import Unaskable, filled
from service.crm_api.wait import wait
from service.intake.crm.lookup import problem_of
from service.intake.definition.crm_lists import Staff, Sweep
from service.intake.definition.tables import Definition
from service.intake.expressions.compiled import find

CURSORS = frozenset({"cursor"})
OF_THE_API = frozenset({"refused_401", "limited", "away"})
"""The problems that concern all calls; any other concerns this list alone."""


@dataclass(frozen=True, slots=True)
class ListPage:
    """A page. `next` None and `more` False: the last one. `problem`: one of OF_THE_API, or a word of its own."""

    path: str
    status: int | None = None
    items: Sequence[Any] = field(default=(), repr=False)
    next: str | None = None
    more: bool = False
    problem: str | None = None
    again_in: timedelta | None = None
    notes: tuple[str, ...] = ()

    def turns(self, cursor: str | None) -> bool:
        """Whether another page follows that this cursor did not lead to already."""
        return self.more and (self.next is None or self.next != cursor)


def read_list(
    definition: Definition,
    of: Sweep | Staff,
    ask: Callable[[str], CrmResponse],
    known: Mapping[str, str],
    now: datetime,
) -> ListPage:
    """Ask for one page and find its items. `known`: what stands in the path's gaps. Raises nothing."""
    path = of.further if of.further and known["cursor"] else of.path
    texts = {name: value for name, value in definition.grammar.values.items() if isinstance(value, str)}
    try:
        path = filled(path, {**texts, **known}, CURSORS)
        got = ask(path)
    except Unaskable as error:
        return ListPage(path, problem="unaskable", notes=(str(error),))
    except NoAnswer as error:
        refused = error.reason in {"refused", "forbidden"}
        return ListPage(path, problem="refused_401" if refused else "away", notes=(str(error),))
    if got.status != OK:
        return ListPage(path, got.status, problem=_problem(definition, got), again_in=wait(got.headers, now))
    return _found(of, path, {"a": got.value, "k": {}})


def _problem(definition: Definition, got: CrmResponse) -> str:
    """What came instead of a page, as the log and `sources list` say it.

    403 and 404 concern only this list: the token may still be allowed to look customers up.
    """
    match problem_of(definition, got):
        case "limited":
            return "limited"
        case "refused":
            return f"refused_{got.status}"
    return f"status_{got.status}" if got.status < HTTPStatus.INTERNAL_SERVER_ERROR else "away"


def _found(of: Sweep | Staff, path: str, said: Mapping[str, Any]) -> ListPage:
    notes: list[str] = []
    items = find(of.items, said, notes)
    if not isinstance(items, list):
        return ListPage(path, OK, problem="not_understood", notes=(*notes, "its `items` find no list"))
    following = find(of.next, said, notes) if items else None
    cursor = following if isinstance(following, str) and following else None
    return ListPage(path, OK, items, cursor, following is True or cursor is not None, notes=tuple(notes))
