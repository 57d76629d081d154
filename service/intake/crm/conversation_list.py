"""Reads one page of a CRM's list of conversations and returns deliveries, as if they had come by webhook.

Each listed conversation becomes an `Inbound` in the webhook's own form and is read by the webhook's own map. Stores
nothing, and keeps of an answer only what the definition picks.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from service.crm_api.client import Client
from service.crm_api.get import CrmResponse
from service.crm_api.path import GAP
from service.intake.crm.list_page import ListPage, read_list
from service.intake.definition.crm_lists import Sweep
from service.intake.definition.tables import Definition
from service.intake.delivery.inbound import DELIVERIES, Inbound, make_inbound
from service.intake.expressions.compiled import find
from service.intake.mapping.events import ConversationEnded, Reading
from service.intake.mapping.readings import read
from service.intake.values.times import event_time

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


def read_page(definition: Definition, sweep: Sweep, api: Client, wanted: PageWanted, now: datetime) -> ListPage:
    """Ask for one page; its items are `ListedConversation`s. Raises nothing."""
    known = _known(sweep, wanted)
    page = read_list(definition, sweep, lambda path: _asked(sweep, api, path, wanted, known), known, now)
    notes = list(page.notes)
    listed = tuple(_listed(definition, sweep, page.items, now, notes))
    if page.items and _is_older(sweep, _seen_by(definition, page.items[-1]), wanted.since, notes):
        page = replace(page, next=None, more=False)
    return replace(page, items=listed, notes=tuple(notes))


def _known(sweep: Sweep, wanted: PageWanted) -> dict[str, str]:
    seconds = wanted.since.replace(microsecond=0)
    since = f"{seconds:%Y-%m-%dT%H:%M:%SZ}" if sweep.since == "iso8601" else str(int(seconds.timestamp()))
    return {"since": since, "cursor": wanted.cursor or "", "page": str(wanted.page)}


def _asked(sweep: Sweep, api: Client, path: str, wanted: PageWanted, known: Mapping[str, str]) -> CrmResponse:
    if not sweep.body:
        return api.get(path, sweep.headers)
    since = known["since"] if sweep.since == "unix_s" else json.dumps(known["since"])
    values = {"since": since, "cursor": json.dumps(wanted.cursor), "page": known["page"]}
    return api.post(path, GAP.sub(lambda gap: values[gap[1]], sweep.body).encode(), sweep.headers)


def _listed(
    definition: Definition, sweep: Sweep, items: Sequence[Any], now: datetime, notes: list[str]
) -> Iterator[ListedConversation]:
    for each in items:
        context = _seen_by(definition, each)
        if sweep.when is not None and find(sweep.when, context, notes) is not True:
            continue
        said, at = find(sweep.item, context, notes), _arrival(sweep, context, now, notes)
        if said is None or at is None:
            notes.append(NOT_READ)
            continue
        inbound = as_delivery(definition, sweep, said)
        yield ListedConversation(inbound, read(definition, inbound, at))


def _seen_by(definition: Definition, item: Any) -> dict[str, Any]:
    """What expressions see of a listed item."""
    return {"i": item, "v": definition.grammar.values}


def _arrival(sweep: Sweep, context: Mapping[str, Any], now: datetime, notes: list[str]) -> datetime | None:
    """A moment of arrival, for a map that reads no other time."""
    if sweep.ended_at is None:
        return now
    at = event_time(find(sweep.ended_at, context, notes), "auto")
    return None if at is None else min(at, now)


def _is_older(sweep: Sweep, context: Mapping[str, Any], since: datetime, notes: list[str]) -> bool:
    """Whether the list is sorted newest first and has reached what an earlier reading knew."""
    at = event_time(find(sweep.changed_at, context, notes), "auto")
    return at is not None and at < since.astimezone(UTC)


def as_delivery(definition: Definition, sweep: Sweep, said: Any) -> Inbound:
    """Write what was found as the webhook would have sent it; the same find gives the same bytes."""
    body = json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    headers = {"content-type": "application/json", **sweep.sent, SWEPT: "true"}
    return make_inbound("POST", "", f"{DELIVERIES}{definition.name}", "", headers.items(), body)


def ended(listed: ListedConversation) -> bool:
    """Whether it reports an end."""
    return any(isinstance(each, ConversationEnded) for each in listed.readings)
