"""Notes on the time line: what supervisors say happened on a day, such as a launch or an outage.

They appear in the charts of everybody who reads figures of the account, analysts too, so they are no place for a
customer's words. A note without an account applies to all, and needs a writer who may see all.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.at_rest.columns import encrypting
from service.auth.keys import LONGEST_ACTOR, Reader
from service.errors import Invalid, NotFound
from service.models import timeline_note
from service.reports.query_values import YEARS
from service.reports.roles import demand_account
from service.reports.visible import view_of
from service.settings import Settings

tn = timeline_note.c
LONGEST = 120
TO_WHICH = "to which of them it happened"


@dataclass(frozen=True, slots=True)
class TimelineNote:
    """What happened on a day. `account` None: to every account."""

    id: str
    day: date
    account: str | None
    text: str
    author: str
    at: datetime


def add(
    connection: Connection, settings: Settings, reader: Reader, day: date, text: str, account: str | None, now: datetime
) -> TimelineNote:
    """Store a note. Raises Invalid for words no chart holds and an account there is not, NotAllowed for another's."""
    words = " ".join(text.split())
    if not words or len(words) > LONGEST or not words.isprintable():
        raise Invalid("invalid_note", f"A note on the time line has 1 to {LONGEST} printable characters.")
    if day.year not in YEARS:
        raise Invalid("invalid_day", f"A day must be in the years {YEARS.start} to {YEARS.stop - 1}.")
    demand_account(reader, account, TO_WHICH)
    if account is not None:
        view_of(connection, settings, reader, now, [account])  # of another it would be shown to nobody
    kept = {"day": day.isoformat(), "account": account, "text": words, "author": reader.name[:LONGEST_ACTOR]}
    row = encrypting(timeline_note, {**kept, "at": now}, kept["day"], now)
    number = connection.scalar(sa.insert(timeline_note).values(row).returning(tn.id))
    return TimelineNote(str(number), day, account, words, kept["author"] or "", now)


def listed(
    connection: Connection, accounts: Collection[str], since: date | None = None, until: date | None = None
) -> list[TimelineNote]:
    """Return the notes for these accounts and for all, of the days [since, until), newest day first."""
    wanted = sa.select(timeline_note).where(tn.account.is_(None) | tn.account.in_(list(accounts)))
    wanted = wanted if since is None else wanted.where(tn.day >= since.isoformat())
    wanted = wanted if until is None else wanted.where(tn.day < until.isoformat())
    return [_note(row) for row in connection.execute(wanted.order_by(tn.day.desc(), tn.id.desc()))]


def remove(connection: Connection, reader: Reader, note_id: str) -> TimelineNote:
    """Delete a note and return it. Raises NotFound, or NotAllowed if it is also for others."""
    note = one(connection, reader, note_id)
    demand_account(reader, note.account, TO_WHICH)
    connection.execute(sa.delete(timeline_note).where(tn.id == int(note.id)))
    return note


def one(connection: Connection, reader: Reader, note_id: str) -> TimelineNote:
    """Return a note. Raises NotFound, also if it was deleted."""
    number = int(note_id) if _is_id(note_id) else None
    row = connection.execute(sa.select(timeline_note).where(tn.id == number)).one_or_none()
    if row is None or (row.account is not None and not reader.may_see(row.account)):
        raise NotFound(
            "no_such_note", "There is no such note on the time line, or your key does not cover its account."
        )
    return _note(row)


def logged(note: TimelineNote) -> dict[str, Any]:
    """What the access log says of a note: never its words."""
    return {"id": note.id, "day": note.day.isoformat(), "account": note.account, "characters": len(note.text)}


def _is_id(given: str) -> bool:
    return given.isascii() and given.isdecimal() and len(given) < 19  # noqa: PLR2004 - what 64 bits hold


def _note(row: sa.Row[*tuple[object, ...]]) -> TimelineNote:
    r = row._mapping  # noqa: SLF001 - SQLAlchemy's public way to columns by name
    return TimelineNote(str(r["id"]), date.fromisoformat(r["day"]), r["account"], r["text"], r["author"], r["at"])
