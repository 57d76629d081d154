"""The loop: in, settings and an engine; out, requests sent, answers collected, old rows forgotten, until told to stop.

Wires the chapters' own turns to clocks and clients, and holds no rule about a request or an account. Each account has a
thread for its slow reading (look-ups, polls, refreshes), so that one slow account never holds up another; each CRM
whose customers are looked up has its own as well.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from queue import SimpleQueue

import structlog
from sqlalchemy.engine import Engine

from service import chores, migrations, otel, served, staff_names
from service.accounts import holds
from service.accounts.holds import Hold
from service.clock import Clock, utc_now
from service.db import reading, writing
from service.encrypting import walking
from service.ids import new_id
from service.intake.crm.desks import desks_of
from service.intake.crm.sweeping import begin, errands_of, sweep_once
from service.keeping_on import UNWELL, each_step, keeping_on
from service.metrics import prometheus, totals
from service.outreach import confirming, thanks, unclear, withdrawn
from service.outreach.clients import client_of
from service.outreach.looking import look_up_once
from service.outreach.run import Runner
from service.outreach.workplace import Workplace
from service.process import name_of, share_arenas, stop_on_signals
from service.results.inbox import read_once as read_inbox
from service.results.poll import poll_once
from service.results.refresh import refresh_once
from service.settings import Account, Settings
from service.staff_names import StaffReading
from service.x_api import AccountProblem, XClient, XError

log = structlog.get_logger(__name__)

READ_EVERY = timedelta(seconds=1)
READS_PER_SECOND = 10  # of all accounts together: a worker of many accounts must not spend its time on looking around
LOOK_EVERY = timedelta(seconds=1)
LAST_READ = timedelta(milliseconds=500)  # of the time to stop in, for the readers to finish
TURNS_AT_ONCE = 20  # pages of results before unclear sends are looked at again


def clients_of(settings: Settings, engine: Engine, clock: Clock = utc_now) -> dict[str, XClient]:
    """Open one X client per account."""
    return {name: client_of(settings, engine, account, clock) for name, account in settings.accounts.items()}


def run(settings: Settings, engine: Engine, clock: Clock = utc_now, stop: threading.Event | None = None) -> None:
    """Work until SIGTERM or SIGINT (or `stop`). Raises Unavailable when the schema is not ours."""
    migrations.require_fitting(engine)
    share_arenas()
    ours = stop is None
    stop = stop or stop_on_signals()
    otel.begin(settings.service.traces_to, "worker")
    name = name_of(new_id("w", clock())[-4:])
    place = Workplace.open(engine, settings, name, desks_of(settings, clock))
    clients = clients_of(settings, engine, clock)
    checked = SimpleQueue[str]()
    chores.say_alive(place, clock())
    withdrawn.warn_of(engine, settings)
    readers = [
        threading.Thread(
            target=_read_for, args=(place, account, clients[account.name], checked, clock, stop), name=f"read-{name}"
        )
        for name, account in settings.accounts.items()
    ]
    readers += _callers(place, clock, stop)
    readers += [threading.Thread(target=do, args=(place, clock, stop), name=name) for name, do in chores.CHORES.items()]
    for thread in readers:
        thread.daemon = True
        thread.start()
    keeper = totals.Keeper(engine, "worker", clock(), serves=served.of(settings))
    readers += [totals.keep_on(keeper, stop), walking.keep_on(engine, clock, stop)]
    prometheus.serve(settings, engine)
    log.info("worker_started", worker=name, accounts=sorted(clients))
    left = _send(place, clients, checked, clock, stop)
    deadline = time.monotonic() + LAST_READ.total_seconds()
    for thread in readers:
        thread.join(max(0.0, deadline - time.monotonic()))
    with keeping_on("worker_row_left"):
        chores.say_gone(place)
    if not left and not any(thread.is_alive() for thread in readers):
        for client in clients.values():
            client.close()
    log.info("worker_stopped", worker=name, calls_left=left)
    if left and ours:
        # Python would wait for the threads in which X hangs. Their sends stand in the ledger and are looked up.
        sys.stderr.flush()
        os._exit(0)


def _callers(place: Workplace, clock: Clock, stop: threading.Event) -> Iterator[threading.Thread]:
    """Who asks CRMs: for customers, as many at once as a source takes, for what ended, and for the names of staff."""
    for desk in place.desks.values():
        once = partial(look_up_once, place, desk, clock)
        for n in range(desk.at_once):
            yield threading.Thread(target=_ask, args=(desk.source, once, stop), name=f"look-up-{desk.source}-{n}")
    for source, errand in begin(place.engine, errands_of(place.settings, clock), clock()).items():
        sweep = partial(sweep_once, place.engine, errand, clock)
        yield threading.Thread(target=_ask, args=(source, sweep, stop), name=f"sweep-{source}")
    for source, staff in staff_names.begin(place.engine, place.settings, clock).items():
        named = partial(staff_names.look_up_names, place.engine, place.settings, staff, StaffReading(), clock)
        yield threading.Thread(target=_ask, args=(source, named, stop), name=f"names-{source}")


def check_access(place: Workplace, account: Account, client: XClient, now: datetime) -> None:
    """Ask X who we are, once at the start: a wrong key shows now and not with the first customer.

    That X does not show us this one thing, which few apps or no plan may see, says nothing of what we are here for.
    """
    try:
        why = holds.for_access(account, client.verify_credentials().value)
    except XError as error:
        if not isinstance(error, AccountProblem) or error.row.few_may:
            log.warning("access_not_checked", account=account.name, reason=error.reason)
            return
        why = Hold(error.code, error.reason)
    if why is not None:
        with writing(place.engine) as connection:
            holds.hold(connection, account.name, why, now)


def _send(
    place: Workplace, clients: Mapping[str, XClient], checked: "SimpleQueue[str]", clock: Clock, stop: threading.Event
) -> int:
    """Claim and walk until told to stop, then finish what is in flight; return how many calls would not end."""
    ready: dict[str, XClient] = {}  # an account whose access X has not told us yet waits, and waits alone
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


def _read_for(
    place: Workplace,
    account: Account,
    client: XClient,
    checked: "SimpleQueue[str]",
    clock: Clock,
    stop: threading.Event,
) -> None:
    """Check the access of one account, then look up its unclear sends, refresh its cards and poll its events."""
    _check_at_start(place, account, client, clock, stop)
    checked.put(account.name)
    every = max(READ_EVERY, timedelta(seconds=len(place.settings.accounts) / READS_PER_SECOND))
    rest = every
    while not stop.wait(rest.total_seconds()):
        rest = every if _read_once(place, account, client, clock, stop) else UNWELL


def _check_at_start(place: Workplace, account: Account, client: XClient, clock: Clock, stop: threading.Event) -> None:
    rest = timedelta(0)
    while not stop.wait(rest.total_seconds()):
        rest = UNWELL
        with keeping_on("access_not_checked", account=account.name):
            check_access(place, account, client, clock())
            break


def _read_once(place: Workplace, account: Account, client: XClient, clock: Clock, stop: threading.Event) -> bool:
    """Do for an account what is slow; False where something of it failed."""
    this = (place, account, client, clock)
    steps: dict[str, Callable[[], object]] = {"unclear": partial(unclear.look_up_once, *this)}
    with keeping_on("reading_failed", account=account.name, step="standing"), reading(place.engine) as connection:
        if not holds.is_refused(connection, account.name):
            steps |= {"thanks": partial(thanks.send_due, *this), "collect": partial(_collect, *this, stop)}
            if account.client_id is None:
                steps["confirming"] = partial(confirming.read_once, *this)
    return each_step("reading_failed", steps, account=account.name)


def _collect(place: Workplace, account: Account, client: XClient, clock: Clock, stop: threading.Event) -> None:
    """Refresh and poll until there is no more for now, a page a turn, and not for long: look-ups wait for nobody."""
    window = place.settings.reports.answer_window
    for _ in range(TURNS_AT_ONCE):
        if stop.is_set():
            return
        if account.client_id is not None:  # X takes OAuth 2.0 nowhere on v1.1, where cards and the DM list are
            return
        cards = refresh_once(place.engine, account, client, clock(), worker=place.worker, answer_window=window)
        page = poll_once(place.engine, account, client, clock(), worker=place.worker)
        said = read_inbox(place.engine, place.settings, account, client, clock)
        if problem := cards.problem or page.problem or said.problem:
            with writing(place.engine) as connection:
                holds.hold_if_refused(connection, account.name, problem, None, clock())
        if not (cards.more or page.more):
            return


def _ask(source: str, once: Callable[[], bool], stop: threading.Event) -> None:
    """Ask one source's CRM for what is due, a call at a time: a thread of its own, as a CRM may hang."""
    rest = LOOK_EVERY
    while not stop.wait(rest.total_seconds()):
        rest = UNWELL
        with keeping_on("crm_not_asked", source=source):
            while not stop.is_set() and once():
                pass
            rest = LOOK_EVERY
