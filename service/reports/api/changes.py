"""GET /v1/changes: what changed since a cursor, in commit order; may wait for the next change.

A waiting request holds a thread but no slot for reading: at most two wait, never more than half of the threads; others
are answered at once. Knows flask.
"""

import threading
import time
from typing import Any

import flask

from service.db import reading
from service.reports.api import row_schemas, schemas
from service.reports.api.routes import Routes
from service.reports.roles import READERS_OF_ANSWERS
from service.reports.rows import changes
from service.reports.rows.changes import ChangePosition, Changes, ChangesPage
from service.reports.rows.cursor import change_cursors
from service.web import a_slot, reads_in_turns

NAME = "dm_feedback_waiting"
WAITING_AT_ONCE = 2  # of one process; fewer where that is more than half of its threads
LOOK_EVERY_S = 0.25
SAYS = (
    "List changes in commit order, to keep a copy in sync. Any cursor can be resumed at any later time. "
    "Each item is a request in its current state: replace your copy with the same request_id, and delete "
    "the answers of `erased` ones. An item may appear more than once. Test traffic is included, marked "
    "`test`. A 410 means that the database was restored from a backup: start again without a cursor."
)


def add(routes: Routes) -> None:
    """Register the view."""

    @routes.get(
        "/changes",
        schemas.ChangesSchema,
        row_schemas.ChangedPageSchema,
        READERS_OF_ANSWERS,
        SAYS,
        slot=reads_in_turns,
    )
    def list_changes(asked: dict[str, Any]) -> dict[str, Any]:
        places = change_cursors(routes.settings.service.secret_key, routes.reader)
        position = places.read(asked["cursor"])
        found, told = _read(routes, position, asked["limit"])
        if not told and asked["wait"]:
            found, told = _waited(routes, found, asked["limit"], asked["wait"])
        if told:
            routes.log("changes.list", {"rows": len(told), "on": position is not None})
        return {"items": told, "next_cursor": places.write(found.next), "more": found.more}


def _read(routes: Routes, position: ChangePosition | None, limit: int) -> tuple[ChangesPage, Changes]:
    with a_slot(), reading(routes.engine) as connection:
        return changes.feed(routes.query(connection), position, limit)


def _waited(routes: Routes, found: ChangesPage, limit: int, seconds: int) -> tuple[ChangesPage, Changes]:
    """Wait for something to tell, if there is room to wait."""
    room = min(WAITING_AT_ONCE, routes.settings.web.threads // 2)
    waiting: threading.BoundedSemaphore = flask.current_app.extensions.setdefault(
        NAME, threading.BoundedSemaphore(room)
    )
    if not waiting.acquire(blocking=False):
        return found, []
    try:
        return _heard(routes, found, limit, time.monotonic() + seconds)
    finally:
        waiting.release()


def _heard(routes: Routes, found: ChangesPage, limit: int, until: float) -> tuple[ChangesPage, Changes]:
    """Read again whenever there is news, until some of it may be told: it may be another account's, or embargoed."""
    told: Changes = []
    while not told and _news(routes, found.here, until):
        found, told = _read(routes, found.next, limit)
    return found, told


def _news(routes: Routes, position: ChangePosition, until: float) -> bool:
    while time.monotonic() < until:
        time.sleep(LOOK_EVERY_S)
        with reading(routes.engine) as connection:
            if changes.is_news(connection, position):
                return True
    return False
