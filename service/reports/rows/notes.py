"""Supervisors' notes on a result, kept apart from the answer.

The caller decides who may read or write them, by looking the result up for this reader first. They go when the customer
they are about is erased.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.at_rest.columns import encrypting
from service.auth.keys import LONGEST_ACTOR
from service.errors import Conflict, Invalid
from service.models import feedback_request, review_note
from service.text import UNSTORABLE

fr, rn = feedback_request.c, review_note.c
LONGEST = 4000


@dataclass(frozen=True, slots=True)
class ReviewNote:
    """What a supervisor wrote, and when."""

    id: Annotated[str, "The note's id"]
    at: Annotated[datetime, "When it was written"]
    author: Annotated[str, "The key that wrote it"]
    text: Annotated[str, "What a supervisor wrote"]


def add(connection: Connection, request_id: str, author: str, text: str, now: datetime) -> ReviewNote:
    """Store a note. Raises Invalid for an empty one or one no database can hold, Conflict if the customer is erased."""
    words = text.strip()
    if not words or len(words) > LONGEST or UNSTORABLE.search(words):
        raise Invalid("invalid_note", f"A note has 1 to {LONGEST} characters, without NUL.")
    # locked, so that an erasure waits for us and finds the note, or we wait for it and write none
    about = sa.select(fr.erased_at).where(fr.id == request_id).with_for_update(key_share=True)
    if connection.scalar(about) is not None:
        raise Conflict("customer_erased", "The customer was erased; no note can be written about them any more.")
    row = {"request_id": request_id, "at": now, "author": author[:LONGEST_ACTOR], "text": words}
    one = sa.insert(review_note).values(encrypting(review_note, row, request_id, now))
    number = connection.execute(one.returning(rn.id)).scalar_one()
    return ReviewNote(str(number), now, author[:LONGEST_ACTOR], words)


def erase(connection: Connection, x_user_id: str) -> int:
    """Delete the notes on a customer's answers. Call this before the ledger forgets who it was."""
    theirs = sa.select(fr.id).where(fr.x_user_id == x_user_id)
    return connection.execute(sa.delete(review_note).where(rn.request_id.in_(theirs))).rowcount


def one(connection: Connection, request_id: str, note_id: str) -> ReviewNote:
    """Return a note that was written. Raises Conflict if it was erased with its customer."""
    found = next((each for each in listed(connection, request_id) if each.id == note_id), None)
    if found is None:
        raise Conflict(
            "note_gone", "This call created its note earlier, but the note has since been erased with its customer."
        )
    return found


def listed(connection: Connection, request_id: str) -> list[ReviewNote]:
    """Return a result's notes, the oldest first."""
    rows = connection.execute(sa.select(review_note).where(rn.request_id == request_id).order_by(rn.id))
    return [ReviewNote(str(row.id), row.at, row.author, row.text) for row in rows]
