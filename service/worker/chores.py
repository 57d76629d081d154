"""A worker's chores beside sending, each a loop in a thread of its own, so that a slow one holds up no other.

The rules are in the chapters.
"""

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.accounts import standing
from service.auth import chain
from service.clock import Clock
from service.db import upsert, writing
from service.encrypting import existing_rows
from service.loops import UNWELL, each_step, keeping_on
from service.models import worker_seen
from service.outreach import removed_names, unclear
from service.outreach.context import Workplace
from service.privacy import housekeeping
from service.reports.counting.sealing import seal
from service.reports.disclosure import naming
from service.reports.disclosure.closing import close_due
from service.reports.people import rename_rows
from service.settings import Settings
from service.sources import holds as source_standing

SEAL_EVERY = timedelta(seconds=1)
HOUSEKEEP_EVERY = timedelta(hours=1)
AFTER_A_FAILURE = timedelta(minutes=1)
ALIVE_EVERY = timedelta(seconds=10)
REWRITE_EVERY, REST_S = timedelta(seconds=2), 0.02


def say_alive(place: Workplace, now: datetime) -> None:
    """Create missing rows for accounts and sources, and record that this worker is alive."""
    with writing(place.engine) as connection:
        standing.enrol(connection, place.settings.accounts, now)
        source_standing.enrol(connection, place.desks, now)
        upsert(connection, worker_seen, {"name": place.worker}, {"seen_at": now}, once={"started_at": now})


def say_gone(place: Workplace) -> None:
    """Record that this worker has ended."""
    with writing(place.engine) as connection:
        connection.execute(sa.delete(worker_seen).where(worker_seen.c.name == place.worker))


def live(place: Workplace, clock: Clock, stop: threading.Event) -> None:
    """Keep recording that we are alive, whatever else takes long."""
    while not stop.wait(ALIVE_EVERY.total_seconds()):
        with keeping_on("not_said_alive"):
            say_alive(place, clock())


def keep_up(place: Workplace, clock: Clock, stop: threading.Event) -> None:
    """Attach what has appeared for unknown sends, and close releases."""
    while not stop.wait(ALIVE_EVERY.total_seconds()):
        now = clock()
        steps: dict[str, Callable[[], object]] = {
            "attaching": partial(unclear.attach_once, place, now),
            "closing": partial(close_due, place.engine, place.settings, now),
        }
        each_step("housekeeping_failed", steps)


def forget_what_is_old(place: Workplace, clock: Clock, stop: threading.Event) -> None:
    """End what left the settings and delete what is too old, an hour after any worker last did, as it reads all rows.

    What failed is tried again sooner.
    """
    well = True
    while not stop.wait(AFTER_A_FAILURE.total_seconds()):
        now = clock()
        with keeping_on("forgetting_failed", step="turn"):
            if well and not housekeeping.is_due(place.engine, now, HOUSEKEEP_EVERY):
                continue
        prune = partial(housekeeping.prune, dry_run=False, stop=stop.is_set, every=HOUSEKEEP_EVERY)
        steps: dict[str, Callable[[], object]] = {
            "withdrawn": partial(removed_names.end_overdue, place, now, stop.is_set),
            "retention": partial(prune, place.engine, place.settings, now),
        }
        well = each_step("forgetting_failed", steps)


def seal_changes(place: Workplace, clock: Clock, stop: threading.Event) -> None:
    """Number what has changed, so that figures and mirrors see it within a second or so; name who may be named."""

    def until_done(step: Callable[[Engine, Settings, datetime], object]) -> None:
        while step(place.engine, place.settings, clock()) and not stop.is_set():
            pass

    steps: dict[str, Callable[[], object]] = {
        "changes": partial(until_done, seal),
        "naming": partial(until_done, naming.follow),
        "names": partial(until_done, rename_rows.tell),
        "access_log": partial(chain.seal_what_waits, place.engine),
    }
    rest = SEAL_EVERY
    while not stop.wait(rest.total_seconds()):
        rest = SEAL_EVERY if each_step("sealing_failed", steps) else UNWELL


def rewrite_under_the_key(place: Workplace, clock: Clock, stop: threading.Event) -> None:
    """Move stored rows to the encryption key in force, a few per commit; between two steps others write.

    Begun at once: who turns encryption on starts a worker and waits.
    """
    while not stop.is_set():
        with keeping_on("encrypting_failed"):
            existing_rows.walk(place.engine, clock, lambda: stop.wait(REST_S))
        stop.wait(REWRITE_EVERY.total_seconds())


CHORES: Mapping[str, Callable[[Workplace, Clock, threading.Event], None]] = {
    "alive": live,
    "housekeeping": keep_up,
    "sealing": seal_changes,
    "forgetting": forget_what_is_old,
    "encrypting": rewrite_under_the_key,
}
"""The loops, by the names of their threads."""
