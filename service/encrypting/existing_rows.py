"""Moves existing rows to the key in force, one small step per call.

A step is one commit: it looks at some rows in key order, rewrites those under another key, and records how far it came.
If a worker dies half-way, another continues. Rows that somebody is changing are left for the next pass; the last pass
is one that found nothing to do after every process already wrote under the new key. Readers see no difference, so rows
keep their place in the order of changes.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine

from service.at_rest.columns import keyring_of
from service.at_rest.keyring import Keyring
from service.clock import Clock
from service.db import reading, writing
from service.db.as_stored import after, stored_key
from service.encrypting.in_force import SETTLED, WalkProgress, everybody_writes, follow, hold_alone, progress
from service.encrypting.rewriting import TABLES, needs_rewriting, rewrite
from service.models import encryption, encryption_key, metadata

log = structlog.get_logger(__name__)
LOOK_AT = 2000
REWRITE = 400
en, ek = encryption.c, encryption_key.c


def step(engine: Engine, now: datetime) -> bool:
    """Take one step; return whether there is more to do right away."""
    keyring = keyring_of(engine.dialect)
    if keyring is None or not _is_due(engine):
        return False
    with writing(engine) as connection:
        mine = connection.scalar(sa.select(en.id).with_for_update(skip_locked=True))
        found = progress(connection) if mine is not None else None
        if found is None or found.finished_at is not None:
            return False
        follow(connection)
        if found.at_table is None:
            return _begin_pass(connection, found, now)
        return _further(connection, keyring, found, now)


def _is_due(engine: Engine) -> bool:
    with reading(engine) as connection:
        return connection.scalar(sa.select(en.id).where(en.finished_at.is_(None))) is not None


def _begin_pass(connection: Connection, found: WalkProgress, now: datetime) -> bool:
    """Begin a pass. The second, which changes ids, and later ones wait until everybody writes the new form."""
    everybody = found.begun_at <= now - SETTLED and everybody_writes(connection, found.key_id, now, ids=bool(found.ids))
    if found.everybody is not None and not everybody:
        return False
    ids = found.ids
    if everybody and found.key_id is not None and not ids:
        # everybody can find and decrypt encrypted ids by now: only from here on may anybody write one
        hold_alone(connection)
        ids, everybody = True, False
    nothing = {"looked_at": 0, "changed": 0, "skipped": 0, "refused": 0}
    _note(connection, at_table=TABLES[0].name, at_row=None, everybody=everybody, ids=ids, **nothing)
    return True


def _further(connection: Connection, keyring: Keyring, found: WalkProgress, now: datetime) -> bool:
    table = metadata.tables[found.at_table or ""]
    page = _page(connection, table, found)
    due = [key for key, is_due in page if is_due]
    done = rewrite(connection, keyring, table, due, found.key_id)
    seen: dict[str, Any] = {
        "looked_at": found.looked_at + len(page), "changed": found.changed + done.rewritten,
        "rewritten": found.rewritten + done.rewritten, "skipped": found.skipped + done.skipped,
        "refused": found.refused + done.refused,
    }  # fmt: skip
    if len(page) == LOOK_AT or len(due) == REWRITE:
        _note(connection, at_row=list(page[-1][0]), **seen)
        return True
    if table is not TABLES[-1]:
        _note(connection, at_table=TABLES[TABLES.index(table) + 1].name, at_row=None, **seen)
        return True
    _note(connection, at_table=None, at_row=None, **seen)
    _end_pass(connection, replace(found, **seen), now)
    return False


def _end_pass(connection: Connection, found: WalkProgress, now: datetime) -> None:
    """Finish, or let another pass follow."""
    if not found.everybody or found.changed or found.skipped:
        return
    if not found.refused:  # otherwise an old key may be needed once they are back in their place
        others = sa.true() if found.key_id is None else ek.id != found.key_id
        connection.execute(sa.delete(encryption_key).where(others))
    _note(connection, finished_at=now)
    log.info("encryption_finished", key_id=found.key_id, rewritten=found.rewritten, refused=found.refused)


def _note(connection: Connection, **values: Any) -> None:
    connection.execute(sa.update(encryption).values(values))


def _page(connection: Connection, table: sa.Table, found: WalkProgress) -> list[tuple[tuple[Any, ...], bool]]:
    """The next rows by key, and which need rewriting: as many as keep that number small."""
    key = list(table.primary_key)
    ids = connection.scalars(sa.select(ek.id)).all()
    due = sa.case((needs_rewriting(table, found.key_id, ids, encrypts_ids=bool(found.ids)), 1), else_=0)
    query = sa.select(*stored_key(table), due).order_by(*key).limit(LOOK_AT)
    if found.at_row is not None:
        query = query.where(after(table, found.at_row))
    page: list[tuple[tuple[Any, ...], bool]] = []
    some = 0
    for *values, is_due in connection.execute(query):
        page.append((tuple(values), bool(is_due)))
        some += is_due
        if some == REWRITE:
            break
    return page


def walk(engine: Engine, clock: Clock, rest: Callable[[], bool]) -> None:
    """Continue until there is nothing to do for now; `rest` lets others write, and says when to stop."""
    while step(engine, clock()) and not rest():
        pass
