"""The worker's slow reading, a thread each: what every X account says, and what CRMs are asked for.

A thread of its own keeps one slow account, or a CRM that hangs, from holding up the others.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from queue import SimpleQueue

import structlog
from structlog.contextvars import bind_contextvars

from service.accounts import holds
from service.accounts.holds import Hold
from service.clock import Clock
from service.db import reading, writing
from service.intake.crm.sweeping import begin, jobs_of, sweep_once
from service.loops import UNWELL, each_step, keeping_on
from service.outreach import handle_check, thanks, unclear
from service.outreach.context import Workplace
from service.outreach.crm_lookups import look_up_once
from service.results.inbox import read_once as read_inbox
from service.results.poll import poll_once
from service.results.refresh import refresh_once
from service.settings import Account
from service.worker import staff_names
from service.worker.staff_names import StaffReading
from service.x_api import AccountProblem, XClient, XError

log = structlog.get_logger(__name__)

READ_EVERY = timedelta(seconds=1)
READS_PER_SECOND = 10  # of all accounts together: a worker of many accounts must not spend its time on looking around
LOOK_EVERY = timedelta(seconds=1)
TURNS_AT_ONCE, COLLECT_FOR = 20, timedelta(seconds=30)  # of results, before unclear sends are looked at again


def of_accounts(
    place: Workplace, clients: Mapping[str, XClient], checked: "SimpleQueue[str]", clock: Clock, stop: threading.Event
) -> Iterator[threading.Thread]:
    """One thread per account. `checked` is told an account's name once X has confirmed its access."""
    for name, account in place.settings.accounts.items():
        args = (place, account, clients[name], checked, clock, stop)
        yield threading.Thread(target=_read_for, args=args, name=f"read-{name}")


def of_crms(place: Workplace, clock: Clock, stop: threading.Event) -> Iterator[threading.Thread]:
    """Threads that ask CRMs for customers (as many at once as a source takes), ended conversations and staff names."""
    for desk in place.desks.values():
        once = partial(look_up_once, place, desk, clock)
        for n in range(desk.at_once):
            yield threading.Thread(target=_ask, args=(desk.source, once, stop), name=f"look-up-{desk.source}-{n}")
    for source, job in begin(place.engine, jobs_of(place.settings, clock), clock()).items():
        sweep = partial(sweep_once, place.engine, job, clock)
        yield threading.Thread(target=_ask, args=(source, sweep, stop), name=f"sweep-{source}")
    for source, staff in staff_names.begin(place.engine, place.settings, clock).items():
        named = partial(staff_names.look_up_names, place.engine, place.settings, staff, StaffReading(), clock)
        yield threading.Thread(target=_ask, args=(source, named, stop), name=f"names-{source}")


def check_access(place: Workplace, account: Account, client: XClient, now: datetime) -> None:
    """Hold an account whose token or key is wrong, once at the start: that shows now, not with the first customer."""
    why = holds.for_token(account) or _told(account, client)
    if why is not None:
        with writing(place.engine) as connection:
            holds.hold(connection, account.name, why, now)


def _told(account: Account, client: XClient) -> Hold | None:
    """Ask X who we are. If it just does not let our app ask that, which few may, it says nothing about sending."""
    try:
        return holds.for_access(account, client.verify_credentials().value)
    except XError as error:
        if isinstance(error, AccountProblem) and not error.row.few_may:
            return Hold(error.code, error.reason)
        log.warning("access_not_checked", account=account.name, reason=error.reason)
        return None


def _read_for(
    place: Workplace,
    account: Account,
    client: XClient,
    checked: "SimpleQueue[str]",
    clock: Clock,
    stop: threading.Event,
) -> None:
    """Check the access of one account, then look up its unclear sends, refresh its cards and poll its events."""
    bind_contextvars(account=account.name)  # for every line of this thread: X is called for several accounts at once
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
    """Do what is slow for an account; False if something of it failed."""
    this = (place, account, client, clock)
    steps: dict[str, Callable[[], object]] = {"unclear": partial(unclear.look_up_once, *this)}
    with keeping_on("reading_failed", account=account.name, step="standing"), reading(place.engine) as connection:
        if not holds.is_refused(connection, account.name):
            steps |= {"thanks": partial(thanks.send_due, *this), "collect": partial(_collect, *this, stop)}
            if account.client_id is None:
                steps["confirming"] = partial(handle_check.read_once, *this)
    return each_step("reading_failed", steps, account=account.name)


def _collect(place: Workplace, account: Account, client: XClient, clock: Clock, stop: threading.Event) -> None:
    """Refresh and poll page by page until there is no more for now, but not for long: look-ups must not wait."""
    window, until = place.settings.reports.answer_window, clock() + COLLECT_FOR
    for _ in range(TURNS_AT_ONCE):
        if stop.is_set() or clock() >= until:  # an X that answers slowly is one that leaves sends unclear
            return
        if account.client_id is not None:  # X accepts OAuth 2.0 nowhere on v1.1, where cards and the DM list are
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
    """Ask one source's CRM for what is due, one call at a time, in a thread of its own because a CRM may hang."""
    rest = LOOK_EVERY
    while not stop.wait(rest.total_seconds()):
        rest = UNWELL
        with keeping_on("crm_not_asked", source=source):
            while not stop.is_set() and once():
                pass
            rest = LOOK_EVERY
