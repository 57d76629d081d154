"""What an id is called at a given moment. Reads nothing.

A conversation keeps the name valid at its end: a person renamed in March is not shown by that name in February. A name
for one account wins over one for all. Without a name the id is shown.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Literal

from service.db import EPOCH, to_micros
from service.x_api.questions import question, valid

Kind = Literal["agent", "team"]
KINDS: tuple[Kind, ...] = ("agent", "team")
EVERY_ACCOUNT = "*"
SEVERAL = " / "
Line = tuple[tuple[int, ...], tuple[str | None, ...]]
"""Moments in order, and what somebody is called from each of them on."""


@dataclass(frozen=True, slots=True)
class NameLine:
    """A name that was given. `since` 1970: from the beginning; `name` None: no name from then on."""

    kind: str
    person_id: str
    name: str | None
    since: datetime = EPOCH
    account: str = EVERY_ACCOUNT


class NameIndex:
    """Names of people, as they were given."""

    def __init__(self, given: Iterable[NameLine]) -> None:
        self._given: defaultdict[tuple[str, str], list[NameLine]] = defaultdict(list)
        for each in given:
            self._given[each.kind, each.person_id].append(each)
        self._lines: dict[tuple[str, str, str], Line] = {}

    def one(self, kind: str, person_id: str, account: str, at: datetime) -> str | None:
        """What somebody is called in one account at a moment."""
        return self._at(kind, person_id, account, to_micros(at))

    def group(self, kind: str, person_id: str, accounts: Collection[str], at: datetime) -> str | None:
        """The same for a group across accounts: every name it has in one of them."""
        names = {name for each in accounts if (name := self.one(kind, person_id, each, at)) is not None}
        return SEVERAL.join(sorted(names)) or None

    def column(
        self, kind: str, ids: Sequence[str | None], accounts: Sequence[str], moments: Sequence[int]
    ) -> list[str | None]:
        """The same for many rows, by column; moments in microseconds."""
        if not self._given:
            return [None] * len(ids)
        rows = zip(ids, accounts, moments, strict=True)
        return [None if each is None else self._at(kind, each, account, at) for each, account, at in rows]

    def _at(self, kind: str, person_id: str, account: str, micros: int) -> str | None:
        found = self._lines.get((kind, person_id, account))
        if found is None:
            found = self._lines[kind, person_id, account] = _line(self._given.get((kind, person_id), ()), account)
        place = bisect_right(found[0], micros)
        return found[1][place - 1] if place else None


def _line(given: Iterable[NameLine], account: str) -> Line:
    """The names of an account in order: those for every account apply until it has its own."""
    own = sorted((to_micros(each.since), each.name) for each in given if each.account == account)
    every = sorted((to_micros(each.since), each.name) for each in given if each.account == EVERY_ACCOUNT)
    line = [*(each for each in every if not own or each[0] < own[0][0]), *own]
    return tuple(since for since, _ in line), tuple(name for _, name in line)


@lru_cache(512)
def question_of(kind: str | None, variant: Any, display_name: str | None) -> str | None:
    """X's question in its own words; None if nobody was asked, or X has no such question."""
    if kind is None or not valid(kind, variant):
        return None
    return question(kind, variant, display_name or "\u2026")
