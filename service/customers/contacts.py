"""Who wrote to an X account of ours, and when last. Kept by keyed hash, without a word of what was said.

A handle that somebody typed into a CRM may be a stranger's: it is only asked if its owner wrote to the account around
the time of the conversation.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.customers import opted_out
from service.db import insert
from service.db.batch_deletion import Overdue
from service.ids import person
from service.models import contact

WITHIN = timedelta(days=7)
"""How long before its end a conversation may have begun: its customer wrote in this time."""

KEPT = timedelta(days=30)
ct = contact.c


def note(connection: Connection, account: str, wrote: Iterable[tuple[str, datetime]], *, hash_key: str) -> None:
    """Note for each sender when they wrote last. Not of who was erased: a list shows what they wrote before, too."""
    newest: dict[str, datetime] = {}
    for x_user_id, at in wrote:
        whom = person(hash_key, x_user_id)
        newest[whom] = max(at, newest.get(whom, at))
    for whom in sorted(newest.keys() - opted_out.erased(connection)):
        at = newest[whom]
        row = insert(connection, contact).values(account=account, person=whom, wrote_at=at)
        later = row.excluded.wrote_at > ct.wrote_at
        connection.execute(
            row.on_conflict_do_update(index_elements=["account", "person"], set_={"wrote_at": at}, where=later)
        )


def wrote_since(connection: Connection, account: str, x_user_id: str, since: datetime, *, hash_key: str) -> bool:
    """Whether this person wrote to the account then or later."""
    theirs = (ct.account == account, ct.person == person(hash_key, x_user_id), ct.wrote_at >= since)
    return connection.scalar(sa.select(ct.person).where(*theirs)) is not None


def of_person(x_user_id: str, *, hash_key: str) -> tuple[sa.Table, sa.ColumnElement[bool]]:
    """Say which rows are of this person."""
    return contact, ct.person == person(hash_key, x_user_id)


def erase(connection: Connection, x_user_id: str, *, hash_key: str) -> int:
    """Delete that this person wrote; return how many rows there were."""
    _, theirs = of_person(x_user_id, hash_key=hash_key)
    return connection.execute(sa.delete(contact).where(theirs)).rowcount


def too_old(now: datetime) -> Overdue:
    """Which rows retention deletes: who wrote long ago."""
    return Overdue("contacts", contact, ct.wrote_at < now - KEPT)
