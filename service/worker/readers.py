"""The threads of the worker's slow reading: one per X account, and those that ask CRMs.

A thread of its own keeps one slow account, or a CRM that hangs, from holding up the others.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from queue import SimpleQueue

from service.clock import Clock
from service.intake.crm.sweeping import begin, jobs_of, sweep_once
from service.loops import UNWELL, keeping_on
from service.outreach.context import Workplace
from service.outreach.crm_lookups import look_up_once
from service.worker import staff_names
from service.worker.account_reader import AccountReader
from service.worker.staff_names import StaffReading
from service.x_api import XClient

LOOK_EVERY = timedelta(seconds=1)


def of_accounts(
    place: Workplace, clients: Mapping[str, XClient], checked: "SimpleQueue[str]", clock: Clock, stop: threading.Event
) -> Iterator[threading.Thread]:
    """One thread per account. `checked` is told an account's name once X has confirmed its access."""
    for name, account in place.settings.accounts.items():
        reader = AccountReader(place, account, clients[name], clock, stop)
        yield threading.Thread(target=reader.run, args=(checked,), name=f"read-{name}")


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


def _ask(source: str, once: Callable[[], bool], stop: threading.Event) -> None:
    """Ask one source's CRM for what is due, one call at a time, in a thread of its own because a CRM may hang."""
    rest = LOOK_EVERY
    while not stop.wait(rest.total_seconds()):
        rest = UNWELL
        with keeping_on("crm_not_asked", source=source):
            while not stop.is_set() and once():
                pass
            rest = LOOK_EVERY
