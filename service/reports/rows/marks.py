"""What supervisors do about an answer: whether it is done, and who takes care of it. Not for agents.

One row per request, with who said it and when; the access log has the history. The caller decides who may mark, by
looking the result up for this reader first. Marks hold no customer's words, and go when the customer is erased.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.auth import keys
from service.auth.keys import LONGEST_ACTOR
from service.db import upsert
from service.errors import Invalid
from service.models import feedback_request, review_mark, review_note
from service.reports.roles import READERS_OF_ANSWERS
from service.reports.rows.row import Row
from service.requests.seals import touch

mk, rn = review_mark.c, review_note.c


@dataclass(frozen=True, slots=True)
class ReviewMark:
    """Whether an answer is done and who takes care of it; no row: open, nobody's."""

    request_id: str
    done_at: datetime | None = None
    done_by: str | None = None
    owner: str | None = None
    owner_at: datetime | None = None
    owner_by: str | None = None
    notes: int = 0

    @property
    def done(self) -> bool:
        """Whether nothing is left to do."""
        return self.done_at is not None


def finish(connection: Connection, request_id: str, by: str, now: datetime) -> None:
    """Mark it done. Repeating that changes nothing: the first mark stays."""
    known = mark_of(connection, request_id)
    if not known.done:
        _write(connection, request_id, done_at=now, done_by=by[:LONGEST_ACTOR])


def reopen(connection: Connection, request_id: str) -> None:
    """Mark it open again."""
    _write(connection, request_id, done_at=None, done_by=None)


def give(connection: Connection, row: Row, owner: str | None, by: str, now: datetime) -> None:
    """Assign an answer to a supervisor; None: to nobody. Raises Invalid for somebody who cannot read it."""
    if owner is not None and owner not in owners(connection, [row.account], now):
        raise Invalid(
            "no_such_owner", f"'{owner[:40]}' is not a supervisor with a valid key for the account '{row.account}'."
        )
    _write(connection, row.request_id, owner=owner, owner_at=now, owner_by=by[:LONGEST_ACTOR])


def owners(connection: Connection, accounts: Collection[str], now: datetime) -> list[str]:
    """Return whom answers of these accounts can be assigned to: the names of keys that may read one of them."""
    holders = keys.holders(connection, READERS_OF_ANSWERS, now)
    return sorted({each.name for each in holders if any(map(each.may_see, accounts))})


def mark_of(connection: Connection, request_id: str) -> ReviewMark:
    """Return how one answer stands."""
    return marks_of(connection, [request_id])[request_id]


def marks_of(connection: Connection, request_ids: Collection[str]) -> Mapping[str, ReviewMark]:
    """Return the marks of these answers, with the number of notes on each: two statements for a page."""
    ids = list(request_ids)
    counted = sa.select(rn.request_id, sa.func.count()).where(rn.request_id.in_(ids)).group_by(rn.request_id)
    notes: dict[str, int] = {row[0]: row[1] for row in connection.execute(counted)}
    rows = connection.execute(sa.select(review_mark).where(mk.request_id.in_(ids))).mappings()
    known = {str(row["request_id"]): row for row in rows}
    return {each: ReviewMark(**{"request_id": each, **known.get(each, {})}, notes=notes.get(each, 0)) for each in ids}


def is_done(done: bool) -> sa.ColumnElement[bool]:  # noqa: FBT001 - the filter's own value
    """As SQL: requests that are done, or those that are not."""
    finished = feedback_request.c.id.in_(sa.select(mk.request_id).where(mk.done_at.is_not(None)))
    return finished if done else sa.not_(finished)


def is_owned_by(owner: str) -> sa.ColumnElement[bool]:
    """As SQL: requests of one owner; empty: of nobody."""
    if owner:
        return feedback_request.c.id.in_(sa.select(mk.request_id).where(mk.owner == owner))
    return sa.not_(feedback_request.c.id.in_(sa.select(mk.request_id).where(mk.owner.is_not(None))))


def erase(connection: Connection, x_user_id: str) -> int:
    """Delete the marks on a customer's answers. Call this before the ledger forgets who it was."""
    theirs = sa.select(feedback_request.c.id).where(feedback_request.c.x_user_id == x_user_id)
    return connection.execute(sa.delete(review_mark).where(mk.request_id.in_(theirs))).rowcount


def _write(connection: Connection, request_id: str, **values: Any) -> None:
    """Lists can be filtered by marks, so mirrors must hear of them, although no row contains them."""
    touch(connection, [request_id])
    upsert(connection, review_mark, {"request_id": request_id}, values)
