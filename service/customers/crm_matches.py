"""Who a CRM said its customer is on X, remembered for a while.

The customer is kept as a keyed hash. A match is believed for a week, "not found" for an hour: people add a handle later
and rarely change one. What X says about a handle is kept elsewhere (`identities`), for minutes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.at_rest.ids import is_handle
from service.db import upsert
from service.db.batch_deletion import Overdue
from service.ids import customer as customer_hash
from service.models import found_identity

FOUND_KEPT = timedelta(days=7)
NOBODY_KEPT = timedelta(hours=1)
fi = found_identity.c


@dataclass(frozen=True, slots=True)
class FoundIdentity:
    """Who the customer is on X according to the CRM; with neither id nor handle it knows nobody."""

    x_user_id: str | None
    x_handle: str | None
    trust: str
    language: str | None

    @property
    def somebody(self) -> bool:
        """Whether anybody was found."""
        return self.x_user_id is not None or self.x_handle is not None


def hash_of(hash_key: str, source: str, customer_ref: str | None) -> str | None:
    """Return the keyed hash of a source's customer; None if the event names none."""
    return None if customer_ref is None else customer_hash(hash_key, source, customer_ref)


def known(connection: Connection, source: str, customer: str, now: datetime) -> FoundIdentity | None:
    """Return what the CRM said of this customer, if that is recent enough."""
    row = connection.execute(
        sa.select(fi.x_user_id, fi.x_handle, fi.trust, fi.language, fi.looked_at).where(
            fi.source == source, fi.customer == customer
        )
    ).one_or_none()
    if row is None:
        return None
    found = FoundIdentity(row.x_user_id, row.x_handle, row.trust, row.language)
    kept = FOUND_KEPT if found.somebody else NOBODY_KEPT
    return found if row.looked_at <= now < row.looked_at + kept else None


def remember(connection: Connection, source: str, customer: str, found: FoundIdentity, now: datetime) -> None:
    """Store what the CRM said."""
    said = {
        "x_user_id": found.x_user_id, "x_handle": found.x_handle, "trust": found.trust, "language": found.language,
        "looked_at": now,
    }  # fmt: skip
    upsert(connection, found_identity, {"source": source, "customer": customer}, said)


def of_person(x_user_id: str, handles: Iterable[str]) -> tuple[sa.Table, sa.ColumnElement[bool]]:
    """Say which rows belong to this person: by id, or by a handle they are known by."""
    by_handle = is_handle(fi.x_handle, handles)
    return found_identity, sa.or_(fi.x_user_id == x_user_id, by_handle)


def erase(connection: Connection, x_user_id: str, handles: Iterable[str]) -> int:
    """Delete what CRMs said about this person; return how many rows there were."""
    _, theirs = of_person(x_user_id, handles)
    return connection.execute(sa.delete(found_identity).where(theirs)).rowcount


def too_old(now: datetime) -> Overdue:
    """Which rows retention deletes: those no longer believed."""
    return Overdue("found_identities", found_identity, fi.looked_at < now - FOUND_KEPT)
