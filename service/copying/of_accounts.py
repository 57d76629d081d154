"""Which rows move with some accounts: for each table, a condition on the names of accounts and sources.

A row belongs to an account by its own column, by its source, or through its delivery, request or release. Change
numbers and roll-ups are each database's own and are made anew there.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.accounts.moving import ARRIVING
from service.copying.rows import Rows
from service.models import (
    account_state,
    feedback_request,
    metadata,
    opt_out,
    person_name,
    release,
    tally,
    timeline_note,
    webhook_delivery,
)

STAYS = frozenset({
    "access_chain", "access_log", "change_counter", "erasure_ask", "key_use", "naming_place", "probe", "process_count",
    "retention_run", "schema_floor", "session", "tally", "tally_book", "worker_seen", "x_identity",
})  # fmt: skip
"""What is told of a database itself, of who reads there now, or counted anew where the rows arrive."""

EVERY: sa.ColumnElement[bool] = sa.true()
SHARED: Mapping[str, sa.ColumnElement[bool]] = {
    "api_key": EVERY,
    "data_key": EVERY,
    "encryption": EVERY,
    "encryption_key": EVERY,
    "feed": EVERY,
    "opt_out": opt_out.c.account == "*",
    "person_name": person_name.c.account == "*",
    "posted_once": EVERY,
    "restore": EVERY,
    "timeline_note": timeline_note.c.account.is_(None),
}
"""What no account has for itself: carried where it is not there yet, and each database's own from then on."""

UNSEEN = sa.literal_column("-nextval(pg_get_serial_sequence('transition', 'id'))", sa.BigInteger())
"""In place of a change's number: one that no sealer and no mirror looks at, and that nobody else has."""

OWN: Mapping[str, Mapping[str, sa.ColumnElement[Any]]] = {
    feedback_request.name: {"sealed": UNSEEN, "counted": sa.null()},
    account_state.name: {"moved": sa.literal(ARRIVING)},
}


def sources_of(connection: Connection, accounts: Collection[str]) -> frozenset[str]:
    """Return the sources that have reported conversations of these accounts."""
    fr = feedback_request.c
    return frozenset(connection.scalars(sa.select(fr.source).where(fr.account.in_(accounts)).distinct()))


def beside(connection: Connection, accounts: Collection[str], sources: Collection[str]) -> list[tuple[str, str]]:
    """Return other accounts the same sources report on: (source, account)."""
    fr = feedback_request.c
    theirs = (fr.source.in_(sources), fr.account.not_in(accounts))
    found = connection.execute(sa.select(fr.source, fr.account).where(*theirs).distinct().order_by(fr.source))
    return [(source, account) for source, account in found]


def tables_of(accounts: Collection[str], sources: Collection[str]) -> tuple[Rows, ...]:
    """Return what is copied, referenced tables first."""
    return tuple(
        each
        for table in metadata.sorted_tables
        if table.name not in STAYS
        for each in _rows(table, _reaching(accounts, sources))
    )


def counted_of(accounts: Collection[str]) -> Rows:
    """Return the accounts' roll-ups, which are not copied but are deleted with them."""
    return Rows(tally, tally.c.account.in_(accounts))


Condition = Callable[[sa.Column[object]], sa.ColumnElement[bool]]


def _rows(table: sa.Table, reaching: Mapping[str, Condition]) -> Iterator[Rows]:
    if table.name in SHARED:
        yield Rows(table, SHARED[table.name], once=True)
        if "account" not in table.columns:
            return
    by = next((name for name in reaching if name in table.columns), None)
    if by is None:
        raise LookupError(f"Whose are the rows of {table.name}? Say so in copying/of_accounts.py.")
    yield Rows(table, reaching[by](table.columns[by]), OWN.get(table.name, {}))


def _reaching(accounts: Collection[str], sources: Collection[str]) -> Mapping[str, Condition]:
    """The columns by which a row belongs to somebody; the first one a table has decides."""
    deliveries = sa.select(webhook_delivery.c.id).where(webhook_delivery.c.source.in_(sources))
    requests = sa.select(feedback_request.c.id).where(feedback_request.c.account.in_(accounts))
    releases = sa.select(release.c.id).where(release.c.account.in_(accounts))
    return {
        "account": lambda column: column.in_(accounts),
        "source": lambda column: column.in_(sources),
        "delivery_id": lambda column: column.in_(deliveries),
        "request_id": lambda column: column.in_(requests),
        "release_id": lambda column: column.in_(releases),
    }
