"""Everything we hold of one person: every row that erasure would reach, and their opt-outs.

Asks with the same conditions as erasure (`whose` and `of_person` of each room), so nothing can be erased that was not
shown. Changes nothing. A raw delivery may mention other people too.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.auth import log_access
from service.clock import rfc3339
from service.customers import contacts, crm_matches, identities, opted_out
from service.customers.hash_key import open_key
from service.db import reading, writing
from service.intake.inbox import forget as intake
from service.models import delivery_item, feedback_request, metadata, send_attempt
from service.requests import forget as requests
from service.requests import sends
from service.results import forget as results
from service.settings import Settings

OURS = frozenset({"lease_token", "lease_until", "sealed", "counted"})  # how we go about the row; nothing of the person
ASKED_OTHERWISE = (delivery_item, send_attempt)
BY_REQUEST = tuple(each for each in metadata.sorted_tables if "request_id" in each.c and each not in ASKED_OTHERWISE)
Kept = Mapping[str, Sequence[Mapping[str, object]]]
Question = tuple[sa.Table, sa.ColumnElement[bool]]


def export(engine: Engine, settings: Settings, x_user_id: str, *, by: str, now: datetime) -> Kept:
    """Return every row of a person by table, and record the reading in the access log."""
    hash_key = open_key(engine, settings.service.secret_key)
    with reading(engine) as connection:
        kept = {table.name: _rows(connection, table, where) for table, where in _of(connection, x_user_id, hash_key)}
    with writing(engine) as connection:
        log_access(connection, by, "customer.export", {name: len(rows) for name, rows in kept.items() if rows}, now)
    return kept


def names_of(connection: Connection, x_user_id: str) -> set[str]:
    """Return the handles we know a person by."""
    return identities.handles_of(connection, x_user_id) | requests.handles_of(connection, x_user_id)


def _of(connection: Connection, x_user_id: str, hash_key: str) -> Iterator[Question]:
    """Every table that may hold something of them, and which of its rows do."""
    handles = names_of(connection, x_user_id)
    theirs = requests.whose(x_user_id, handles, hash_key=hash_key)
    ids = sa.select(feedback_request.c.id).where(theirs)
    yield feedback_request, theirs
    yield from ((table, table.c.request_id.in_(ids)) for table in BY_REQUEST)
    yield send_attempt, sends.whose(ids, x_user_id)
    yield results.strays_of(ids)
    yield from intake.of_person(connection, theirs, [x_user_id, *sorted(handles)])
    yield identities.of_person(x_user_id)
    yield crm_matches.of_person(x_user_id, handles)
    yield contacts.of_person(x_user_id, hash_key=hash_key)
    yield opted_out.of_person(x_user_id, hash_key=hash_key)


def _rows(connection: Connection, table: sa.Table, where: sa.ColumnElement[bool]) -> list[Mapping[str, object]]:
    columns = [each for each in table.c if each.name not in OURS]
    rows = connection.execute(sa.select(*columns).where(where).order_by(*table.primary_key)).mappings()
    return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: object) -> object:
    """A value as JSON. Bytes that are not UTF-8 are shown escaped."""
    if isinstance(value, datetime):
        return rfc3339(value)
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
