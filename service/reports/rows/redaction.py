"""What a reader is told of the rows found: columns, blanked where they must be.

Whose a row is, and its comment, are blanked where too few have answered. The score always stays: without the name it
belongs to nobody.
"""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.reports.people.name_at import question_of
from service.reports.people.stored import called_of
from service.reports.rows.row import COLUMNS, SECOND, Columns
from service.settings import Settings

WHOSE, WHICH = ("team_id", "agent_id"), ("conversation_id", "customer_ref")
MARK = "{conversation_id}"
Column = Sequence[Any]
Selected = Mapping[str, Column]
"""What the select of `query` returns, by column."""


def told(connection: Connection, found: Sequence[sa.Row[Any]], settings: Settings) -> Columns:
    """Return the page by column, with what may not be told blanked."""
    if not found:
        return tuple(() for _ in COLUMNS)
    raw: Selected = dict(zip(found[0]._fields, zip(*found, strict=True), strict=True))
    unlinked, text, sent = raw["unlinked"], _blanked(raw["text"], raw["unread"]), raw["card_sent_at"]
    told_of: dict[str, Column] = {
        **{name: raw[name] for name in COLUMNS if name in raw},
        **{name: _blanked(raw[name], raw["hidden"]) for name in WHOSE},
        **{name: _blanked(raw[name], unlinked) for name in WHICH},
        "request_id": raw["id"],
        "conversation_url": _blanked(_links(raw, settings), unlinked),
        "sent_at": sent,
        "score_after_s": _seconds(sent, raw["score_at"]),
        "text": text,
        "text_after_s": _seconds(sent, raw["text_at"]),
        "suppressed": [hides or shown != given for hides, shown, given in zip(unlinked, text, raw["text"], strict=True)]
        if any(raw["unread"])
        else unlinked,
        "tags": _blanked([_tags(each) for each in raw["tags"]], unlinked),
    }
    told_of |= _names(connection, raw, told_of, settings)
    return tuple(told_of[name] for name in COLUMNS)


def _names(
    connection: Connection, raw: Selected, told_of: Mapping[str, Column], settings: Settings
) -> dict[str, Column]:
    """The names, when the conversation ended, of those whose ids are told; and the question in X's words."""
    agents, teams = told_of["agent_id"], told_of["team_id"]
    known = called_of(connection, settings, {*agents, *teams})
    return {
        "agent_name": known.column("agent", agents, raw["account"], raw["ended_at"]),
        "team_name": known.column("team", teams, raw["account"], raw["ended_at"]),
        "question": list(map(question_of, raw["type"], raw["question_variant_id"], raw["display_name"])),
    }


def _blanked(column: Column, hidden: Sequence[bool]) -> Column:
    """A column without the values of these rows."""
    if not any(hidden):
        return column
    return [None if hides else value for value, hides in zip(column, hidden, strict=True)]


def _links(raw: Selected, settings: Settings) -> Column:
    """The link to the conversation in the CRM, if the source says where that is; an erased one leads nowhere."""
    places: Mapping[str, str | None] = {name: source.conversation_url for name, source in settings.sources.items()}
    if not any(places.get(each) for each in set(raw["source"])):
        return [None] * len(raw["source"])
    rows = zip(raw["source"], raw["conversation_id"], raw["erased_at"], strict=True)
    return [
        place.replace(MARK, quote(each, safe="")) if erased is None and (place := places.get(source)) else None
        for source, each, erased in rows
    ]


def _seconds(start: Column, end: Column) -> Column:
    """Whole seconds from one to the other, if there are both."""
    pairs = zip(start, end, strict=True)
    return [None if since is None or until is None else int((until - since) / SECOND) for since, until in pairs]


@lru_cache(4096)
def _tags(given: str) -> tuple[str, ...]:
    """The tags in a JSON text, cached: conversations share few lists of tags."""
    return tuple(json.loads(given))
