"""The loop: in, settings and an engine; out, requests sent, answers collected, old rows forgotten, until told to stop.

Wires the chapters' own `run_once`-like functions to clocks and clients, and decides nothing itself. Each account has a
thread for its slow reading (look-ups, polls, refreshes), so that one slow account never holds up another.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from service import housekeeping, metrics, migrations
from service.db import insert, reading, writing
from service.ids import new_id
from service.models import worker_seen
from service.outreach import accounts, unclear
from service.outreach.answers import Hold
from service.outreach.ledger import Queue
from service.outreach.run import Runner
from service.reports.counting.sealing import seal
from service.reports.disclosure.closing import close_due
from service.results.poll import poll_once
from service.results.refresh import refresh_once
from service.settings import Account, Settings
from service.x_api import Credentials, XClient, XError

log = structlog.get_logger(__name__)
Clock = Callable[[], datetime]

READ_EVERY = timedelta(seconds=1)
READS_PER_SECOND = 10  # of all accounts together: a worker of many accounts must not spend its time on looking around
SEAL_EVERY = timedelta(seconds=1)
HOUSEKEEP_EVERY = timedelta(hours=1)
ALIVE_EVERY = timedelta(seconds=10)
WRITES = "read-write-directmessages"
LAST_READ = timedelta(milliseconds=500)  # of the time to stop in, for the readers to finish
TURNS_AT_ONCE = 20  # pages of results before unclear sends are looked at again
UNWELL = timedelta(seconds=2)  # between two tries when the database is away


def utc_now() -> datetime:
    """Return the wall clock; the one place the worker's time comes from."""
    return datetime.now(UTC)


def clients_of(settings: Settings, clock: Clock = utc_now) -> dict[str, XClient]:
    """Open one X client per account."""
    return {
        name: XClient(
            Credentials(account.consumer_key, account.consumer_secret, account.token, account.token_secret),
            base_url=account.base_url,
            clock=clock,
        )
        for name, account in settings.accounts.items()
    }


def run(settings: Settings, engine: Engine, clock: Clock = utc_now, stop: threading.Event | None = None) -> None:
    """Work until SIGTERM or SIGINT (or `stop`). Raises Unavailable when the schema is not ours."""
    migrations.require_head(engine)
    ours = stop is None
    stop = stop or _stop_on_signals()
    name = f"{socket.gethostname()}-{os.getpid()}-{new_id('w', clock())[-4:]}"
    queue = Queue(engine, settings, name)
    clients = clients_of(settings, clock)
    checked = SimpleQueue[str]()
    _begin(queue, clock())
    readers = [
        threading.Thread(
            target=_read_for, args=(queue, account, clients[account.name], checked, clock, stop), name=f"read-{name}"
        )
        for name, account in settings.accounts.items()
    ]
    readers.append(threading.Thread(target=_keep_house, args=(queue, clock, stop), name="housekeeping"))
    readers.append(threading.Thread(target=_seal, args=(queue, clock, stop), name="sealing"))
    for thread in readers:
        thread.daemon = True
        thread.start()
    metrics.serve(settings.worker.metrics_bind, engine)
    log.info("worker_started", worker=name, accounts=sorted(clients))
    left = _send(queue, clients, checked, clock, stop)
    deadline = time.monotonic() + LAST_READ.total_seconds()
    for thread in readers:
        thread.join(max(0.0, deadline - time.monotonic()))
    _end(queue)
    if not left and not any(thread.is_alive() for thread in readers):
        for client in clients.values():
            client.close()
    log.info("worker_stopped", worker=name, calls_left=left)
    if left and ours:
        # Python would wait for the threads in which X hangs. Their sends stand in the ledger and are looked up.
        sys.stderr.flush()
        os._exit(0)


def check_access(queue: Queue, account: Account, client: XClient, now: datetime) -> None:
    """Ask X who we are, once at the start: a wrong key shows now and not with the first customer."""
    try:
        who = client.verify_credentials().value
        wrong = _wrong(account, who.id, who.access_level)
        why = None if wrong is None else Hold(None, wrong)
    except XError as error:
        if not error.about_us:
            log.warning("access_not_checked", account=account.name, reason=error.reason)
            return
        why = Hold(error.code, error.reason)
    if why is not None:
        with writing(queue.engine) as connection:
            accounts.hold(connection, account.name, why, now)
        log.warning("account_held", account=account.name, reason=why.reason, x_code=why.code)


def _wrong(account: Account, x_user_id: str, access_level: str | None) -> str | None:
    if x_user_id != account.user_id:
        return accounts.NOT_OURS
    if access_level is not None and access_level != WRITES:
        return "app_may_not_write_dms"
    return None


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    return stop


def _begin(queue: Queue, now: datetime) -> None:
    with writing(queue.engine) as connection:
        accounts.enrol(connection, queue.settings.accounts, now)
        seen = insert(connection, worker_seen).values(name=queue.worker, started_at=now, seen_at=now)
        connection.execute(seen.on_conflict_do_update(index_elements=["name"], set_={"seen_at": now}))


def _end(queue: Queue) -> None:
    try:
        with writing(queue.engine) as connection:
            connection.execute(sa.delete(worker_seen).where(worker_seen.c.name == queue.worker))
    except SQLAlchemyError:
        log.warning("worker_row_left", worker=queue.worker)


def _send(
    queue: Queue, clients: Mapping[str, XClient], checked: "SimpleQueue[str]", clock: Clock, stop: threading.Event
) -> int:
    """Claim and walk until told to stop, then finish what is in flight; return how many calls would not end."""
    ready: dict[str, XClient] = {}  # an account whose access X has not told us yet waits, and waits alone
    runner = Runner(queue, ready, clock)
    idle = queue.settings.worker.idle
    while not stop.is_set():
        while not checked.empty():
            name = checked.get()
            ready[name] = clients[name]
        try:
            claimed = runner.claim_some()
        except SQLAlchemyError as error:
            log.warning("database_away", error=type(error).__name__)
            stop.wait(UNWELL.total_seconds())
            continue
        except Exception as error:  # a bug that one request meets must not end the worker
            log.exception("claim_failed", error=type(error).__name__)
            stop.wait(UNWELL.total_seconds())
            continue
        if runner.in_flight:
            runner.wait_for_one(idle)
        elif not claimed:
            stop.wait(idle.total_seconds())
    runner.stop(queue.settings.worker.shutdown_within - LAST_READ)
    return runner.in_flight


def _read_for(
    queue: Queue, account: Account, client: XClient, checked: "SimpleQueue[str]", clock: Clock, stop: threading.Event
) -> None:
    """Check the access of one account, then look up its unclear sends, refresh its cards and poll its events."""
    _check_at_start(queue, account, client, clock, stop)
    checked.put(account.name)
    every_s = max(READ_EVERY.total_seconds(), len(queue.settings.accounts) / READS_PER_SECOND)
    while not stop.wait(every_s):
        try:
            with reading(queue.engine) as connection:
                refused = accounts.is_refused(connection, account.name)
            unclear.look_up_once(queue, account, client, clock)
            if not refused:
                _collect(queue, account, client, clock, stop)
        except (SQLAlchemyError, XError) as error:
            log.warning("reading_failed", account=account.name, error=type(error).__name__)
            stop.wait(UNWELL.total_seconds())
        except Exception as error:  # a bug in reading one account must not stop the others
            log.exception("reading_failed", account=account.name, error=type(error).__name__)
            stop.wait(UNWELL.total_seconds())


def _check_at_start(queue: Queue, account: Account, client: XClient, clock: Clock, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            return check_access(queue, account, client, clock())
        except SQLAlchemyError as error:
            log.warning("database_away", error=type(error).__name__)
            stop.wait(UNWELL.total_seconds())
    return None


def _collect(queue: Queue, account: Account, client: XClient, clock: Clock, stop: threading.Event) -> None:
    """Refresh and poll until there is no more for now, a page a turn, and not for long: look-ups wait for nobody."""
    window = queue.settings.reports.answer_window
    for _ in range(TURNS_AT_ONCE):
        if stop.is_set():
            return
        cards = refresh_once(queue.engine, account, client, clock(), worker=queue.worker, answer_window=window)
        page = poll_once(queue.engine, account, client, clock(), worker=queue.worker)
        if problem := cards.problem or page.problem:
            with writing(queue.engine) as connection:
                accounts.hold_if_refused(connection, account.name, problem, None, clock())
        if not (cards.more or page.more):
            return


def _keep_house(queue: Queue, clock: Clock, stop: threading.Event) -> None:
    """Say that we are alive, attach what has appeared for unknown sends, close releases, forget what is too old."""
    next_prune = clock() + HOUSEKEEP_EVERY / 60
    while not stop.wait(ALIVE_EVERY.total_seconds()):
        now = clock()
        try:
            _begin(queue, now)
            unclear.attach_once(queue, now)
            if now >= next_prune or next_prune > now + HOUSEKEEP_EVERY:
                housekeeping.prune(queue.engine, queue.settings, now, dry_run=False)
                next_prune = now + HOUSEKEEP_EVERY
            close_due(queue.engine, queue.settings, now)
        except SQLAlchemyError as error:
            log.warning("housekeeping_failed", error=type(error).__name__)
        except Exception as error:  # a bug in forgetting must not make a living worker look dead
            log.exception("housekeeping_failed", error=type(error).__name__)


def _seal(queue: Queue, clock: Clock, stop: threading.Event) -> None:
    """Number what has changed, so that figures and mirrors learn of it within a second or so."""
    while not stop.wait(SEAL_EVERY.total_seconds()):
        try:
            while seal(queue.engine, queue.settings, clock()) and not stop.is_set():
                pass
        except SQLAlchemyError as error:
            log.warning("sealing_failed", error=type(error).__name__)
            stop.wait(UNWELL.total_seconds())
        except Exception as error:  # a bug that one request meets must not end the worker
            log.exception("sealing_failed", error=type(error).__name__)
            stop.wait(UNWELL.total_seconds())
