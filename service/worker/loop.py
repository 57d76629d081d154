"""The worker's loop: settings and an engine in; requests sent and answers collected, until told to stop.

Connects the chapters' own turns to clocks and clients. Rules about a request or an account belong to the chapters.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from queue import SimpleQueue

import structlog
from sqlalchemy.engine import Engine

from service import migrations
from service.clock import Clock, utc_now
from service.ids import new_id
from service.intake.crm.desks import desks_of
from service.loops import UNWELL, keeping_on
from service.metrics import otel, prometheus, served, totals
from service.outreach import removed_names
from service.outreach.clients import client_of
from service.outreach.context import Workplace
from service.outreach.run import Runner
from service.process import name_of, share_arenas
from service.settings import Settings
from service.worker import chores, readers
from service.x_api import XClient

log = structlog.get_logger(__name__)

LAST_READ = timedelta(milliseconds=500)  # of the time allowed to stop, for the readers to finish


def clients_of(settings: Settings, engine: Engine, clock: Clock = utc_now) -> dict[str, XClient]:
    """Open one X client per account."""
    return {name: client_of(settings, engine, account, clock) for name, account in settings.accounts.items()}


def run(settings: Settings, engine: Engine, stop: threading.Event, clock: Clock = utc_now) -> int:
    """Work until `stop` is set; return how many calls to X did not end. Raises Unavailable if the schema is not ours.

    Their sends stand in the ledger and are looked up, so the caller need not wait for the threads in which X hangs.
    """
    migrations.require_fitting(engine)
    share_arenas()
    send_last_spans = otel.begin(settings.service.traces_to, "worker")
    place = Workplace.open(engine, settings, name_of(new_id("w", clock())[-4:]), desks_of(settings, clock))
    clients = clients_of(settings, engine, clock)
    checked = SimpleQueue[str]()
    chores.say_alive(place, clock())
    removed_names.warn_of(engine, settings)
    threads = _begin(place, clients, checked, clock, stop)
    prometheus.serve(settings, engine)
    log.info("worker_started", worker=place.worker, accounts=sorted(clients))
    left = _send(place, clients, checked, clock, stop)
    _end(place, clients, threads, left)
    send_last_spans()
    log.info("worker_stopped", worker=place.worker, calls_left=left)
    return left


def _begin(
    place: Workplace, clients: Mapping[str, XClient], checked: "SimpleQueue[str]", clock: Clock, stop: threading.Event
) -> Sequence[threading.Thread]:
    """Start everything that works beside the sending, each in a thread of its own."""
    threads = [
        *readers.of_accounts(place, clients, checked, clock, stop),
        *readers.of_crms(place, clock, stop),
        *(threading.Thread(target=do, args=(place, clock, stop), name=name) for name, do in chores.CHORES.items()),
    ]
    for thread in threads:
        thread.daemon = True
        thread.start()
    keeper = totals.Keeper(place.engine, "worker", clock(), serves=served.of(place.settings))
    return [*threads, totals.keep_on(keeper, stop)]


def _end(
    place: Workplace, clients: Mapping[str, XClient], threads: Sequence[threading.Thread], calls_left: int
) -> None:
    """Give the threads a moment to finish; close the clients only if nobody uses them any more."""
    deadline = time.monotonic() + LAST_READ.total_seconds()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    with keeping_on("worker_row_left"):
        chores.say_gone(place)
    if not calls_left and not any(thread.is_alive() for thread in threads):
        for client in clients.values():
            client.close()


def _send(
    place: Workplace, clients: Mapping[str, XClient], checked: "SimpleQueue[str]", clock: Clock, stop: threading.Event
) -> int:
    """Claim and walk until told to stop, then finish what is in flight; return how many calls did not end."""
    ready: dict[str, XClient] = {}  # an account whose access X has not confirmed yet waits, and only that one
    runner = Runner(place, ready, clock)
    idle = place.settings.worker.idle
    while not stop.is_set():
        while not checked.empty():
            name = checked.get()
            ready[name] = clients[name]
        rest = UNWELL
        with keeping_on("claim_failed"):
            rest = timedelta(0) if runner.turn(idle) else idle
        stop.wait(rest.total_seconds())
    runner.stop(place.settings.worker.shutdown_within - LAST_READ)
    return runner.in_flight
