"""A ledger restored from a backup: finds which messages may have been sent after the backup was made.

X has those messages, the ledger does not. So nothing is sent at once for a conversation that ended before the restore:
its send is assumed to have happened and is looked up at X like any other unclear one. Found, it counts; proven absent,
it is sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db import EPOCH
from service.models import IS_OPEN, feedback_request, process_count, restore, send_attempt, transition
from service.requests.request import Request
from service.states import Kind

snd = send_attempt.c
tr = transition.c
NEVER = sa.literal(EPOCH, restore.c.restored_at.type)
LAST = sa.select(sa.func.coalesce(sa.func.max(restore.c.restored_at), NEVER)).scalar_subquery()
"""When the ledger was last put back, as SQL; 1970: never."""

LAST_OF_ALL = sa.select(LAST)
LEFT_SINCE = sa.exists().where(
    tr.request_id == snd.request_id, tr.event == "switched", tr.at >= snd.settled_at
)  # fmt: skip
"""Whether the way in which this was tried has been left: another way has another text, which nobody looked for."""

NEWEST = (
    sa.select(sa.func.max(transition.c.at)),
    sa.select(sa.func.max(send_attempt.c.intended_at)),
    sa.select(sa.func.max(process_count.c.seen_at)),
    sa.select(sa.func.max(feedback_request.c.received_at)),
)


@dataclass(frozen=True, slots=True)
class Restore:
    """A restore: nothing is known of what happened between these moments."""

    known_until: datetime
    restored_at: datetime


def begin(connection: Connection, now: datetime) -> Restore:
    """Record that the ledger was restored just now. It knows nothing after the newest moment in it."""
    moments = [connection.scalar(each) for each in NEWEST]
    known = max((each for each in moments if each is not None), default=EPOCH)
    found = Restore(min(known, now), now)
    connection.execute(sa.insert(restore).values(known_until=found.known_until, restored_at=now))
    return found


def restores(connection: Connection) -> tuple[Restore, ...]:
    """Return every time the ledger was put back."""
    rows = connection.execute(sa.select(restore.c.known_until, restore.c.restored_at).order_by(restore.c.restored_at))
    return tuple(Restore(*row) for row in rows)


def last(connection: Connection) -> datetime:
    """Return when the ledger was last put back; 1970: never."""
    return connection.execute(LAST_OF_ALL).scalar_one()


def concerned(connection: Connection) -> int:
    """How many requests are open; each will be looked up before anything is sent for it."""
    return connection.execute(sa.select(sa.func.count()).select_from(feedback_request).where(IS_OPEN)).scalar_one()


def lost_since(connection: Connection, among: Sequence[Restore], request: Request, kind: Kind) -> datetime | None:
    """Since when this message may have been sent unknown to us; None: it was not, or has been looked up."""
    for each in among:
        if request.ended_at <= each.restored_at and not _known(connection, request, kind, each.known_until):
            return max(each.known_until, request.ended_at)
    return None


def _known(connection: Connection, request: Request, kind: Kind, since: datetime) -> bool:
    """Whether the ledger has an attempt, in the way it would go now, that was made, or assumed, after the backup."""
    mine = (snd.request_id == request.id, snd.kind == kind, snd.intended_at >= since, ~LEFT_SINCE)
    return connection.scalar(sa.select(snd.id).where(*mine).limit(1)) is not None
