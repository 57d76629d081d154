"""Reads one page of a CRM's list of conversations and returns deliveries, as if they had come by webhook.

Each listed conversation becomes an `Inbound` in the webhook's own form and is read by the webhook's own map. Stores
nothing, and keeps of an answer only what the definition picks.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from service.crm_api.client import Client
from service.crm_api.get import OK, CrmResponse, NoAnswer
from service.crm_api.path import GAP, Unaskable, filled
from service.crm_api.wait import wait
from service.intake.crm.lookup import problem_of
from service.intake.definition.sweep import Sweep
from service.intake.definition.tables import Definition
from service.intake.delivery.inbound import DELIVERIES, Inbound, make_inbound
from service.intake.expressions.compiled import PER_DELIVERY, Expression, ExpressionError
from service.intake.expressions.evaluate import Budget, TooCostly
from service.intake.mapping.events import ConversationEnded, Reading
from service.intake.mapping.readings import read
from service.intake.values.times import event_time

CURSORS = frozenset({"cursor"})
SWEPT = "dm-feedback-swept"  # a header of our own: this delivery was not sent to us, we found it
NOT_READ = "an item of the list cannot be written as the webhook would have brought it; see sweep.item"


@dataclass(frozen=True, slots=True)
class PageWanted:
    """Which page: changed since when, after which cursor."""

    since: datetime
    cursor: str | None = None
    page: int = 1


@dataclass(frozen=True, slots=True)
class ListedConversation:
    """A conversation from the list, as the webhook would have sent it, with its readings."""

    inbound: Inbound = field(repr=False)
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class ListPage:
    """A page. `next` None and `more` False: the last one. `problem` as for a look-up, or a word of its own."""

    path: str
    status: int | None = None
    listed: tuple[ListedConversation, ...] = ()
    next: str | None = None
    more: bool = False
    problem: str | None = None
    again_in: timedelta | None = None
    notes: tuple[str, ...] = ()


def read_page(definition: Definition, sweep: Sweep, api: Client, wanted: PageWanted, now: datetime) -> ListPage:
    """Ask for one page and read it. Raises nothing."""
    path = sweep.further if sweep.further and wanted.cursor is not None else sweep.path
    try:
        known = _known(definition, sweep, wanted)
        path = filled(path, known, CURSORS)
        got = _asked(sweep, api, path, wanted, known)
    except Unaskable as error:
        return ListPage(path, problem="unaskable", notes=(str(error),))
    except NoAnswer as error:
        refused = error.reason in {"refused", "forbidden"}
        return ListPage(path, problem="refused_401" if refused else "away", notes=(str(error),))
    if got.status == OK:
        return _PageRead(definition, sweep, wanted, now).page(path, got.value)
    return ListPage(path, got.status, problem=_problem(definition, got), again_in=wait(got.headers, now))


def _known(definition: Definition, sweep: Sweep, wanted: PageWanted) -> dict[str, str]:
    texts = {name: value for name, value in definition.grammar.values.items() if isinstance(value, str)}
    seconds = wanted.since.replace(microsecond=0)
    since = f"{seconds:%Y-%m-%dT%H:%M:%SZ}" if sweep.since == "iso8601" else str(int(seconds.timestamp()))
    return {**texts, "since": since, "cursor": wanted.cursor or "", "page": str(wanted.page)}


def _asked(sweep: Sweep, api: Client, path: str, wanted: PageWanted, known: Mapping[str, str]) -> CrmResponse:
    if not sweep.body:
        return api.get(path, sweep.headers)
    since = known["since"] if sweep.since == "unix_s" else json.dumps(known["since"])
    values = {"since": since, "cursor": json.dumps(wanted.cursor), "page": known["page"]}
    return api.post(path, GAP.sub(lambda gap: values[gap[1]], sweep.body).encode(), sweep.headers)


def _problem(definition: Definition, got: CrmResponse) -> str:
    """403 and 404 concern only this list: the token may still be allowed to look customers up."""
    found = problem_of(definition, got)
    if found == "limited":
        return found
    return f"refused_{got.status}" if found == "refused" else "away" if got.status >= 500 else f"status_{got.status}"  # noqa: PLR2004 - of HTTP


@dataclass(slots=True)
class _PageRead:
    """A page while it is read."""

    definition: Definition
    sweep: Sweep
    wanted: PageWanted
    now: datetime
    notes: list[str] = field(default_factory=list)

    def page(self, path: str, answer: Any) -> ListPage:
        said = {"a": answer, "k": {}}
        items = self._read(self.sweep.items, said)
        if not isinstance(items, list):
            return ListPage(path, OK, problem="not_understood", notes=(*self.notes, "sweep.items finds no list"))
        listed = tuple(self._listed(items))
        following = self._read(self.sweep.next, said) if items and not self._is_older(items[-1]) else None
        cursor = following if isinstance(following, str) and following else None
        return ListPage(path, OK, listed, cursor, following is True or cursor is not None, notes=tuple(self.notes))

    def _listed(self, items: list[Any]) -> Iterator[ListedConversation]:
        for each in items:
            context = {"i": each, "v": self.definition.grammar.values}
            if self.sweep.when is not None and self._read(self.sweep.when, context) is not True:
                continue
            said, at = self._read(self.sweep.item, context), self._arrival(context)
            if said is None or at is None:
                self.notes.append(NOT_READ)
                continue
            inbound = as_delivery(self.definition, self.sweep, said)
            yield ListedConversation(inbound, read(self.definition, inbound, at))

    def _arrival(self, context: Mapping[str, Any]) -> datetime | None:
        """A moment of arrival, for a map that reads no other time."""
        if self.sweep.ended_at is None:
            return self.now
        at = event_time(self._read(self.sweep.ended_at, context), "auto")
        return None if at is None else min(at, self.now)

    def _is_older(self, item: Any) -> bool:
        """Whether the list is sorted newest first and has reached what an earlier reading knew."""
        if self.sweep.changed_at is None:
            return False
        context = {"i": item, "v": self.definition.grammar.values}
        at = event_time(self._read(self.sweep.changed_at, context), "auto")
        return at is not None and at < self.wanted.since.astimezone(UTC)

    def _read(self, expression: Expression | None, context: Mapping[str, Any]) -> Any:
        if expression is None:
            return None
        try:
            return expression.read(context, Budget(PER_DELIVERY))
        except (ExpressionError, TooCostly) as error:
            self.notes.append(str(error))
            return None


def as_delivery(definition: Definition, sweep: Sweep, said: Any) -> Inbound:
    """Write what was found as the webhook would have sent it; the same find gives the same bytes."""
    body = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    headers = {"content-type": "application/json", **sweep.sent, SWEPT: "true"}
    return make_inbound("POST", "", f"{DELIVERIES}{definition.name}", "", headers.items(), body)


def ended(listed: ListedConversation) -> bool:
    """Whether it reports an end."""
    return any(isinstance(each, ConversationEnded) for each in listed.readings)
