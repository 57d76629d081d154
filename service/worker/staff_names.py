"""Asks the CRM for the names of its agents and teams, for sources with [[staff]] and an API.

One page at a time, within the source's limits, in the worker and never in a web request. Intake knows how to ask,
reports keep the names, and neither knows the other. Names given by hand are never overwritten.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog
from sqlalchemy.engine import Connection, Engine

from service.auth import log_access
from service.clock import Clock
from service.crm_api.client import Client
from service.db import reading, writing
from service.intake.crm.list_page import OF_THE_API
from service.intake.crm.staff_list import StaffPage, StaffPlace, read_staff
from service.intake.definition.load import load_with_api
from service.intake.definition.tables import Definition
from service.reports.people.crm_names import ToldName, learn
from service.reports.people.name_at import EVERY_ACCOUNT
from service.settings import Settings
from service.sources import holds, names_due

AWAY = timedelta(minutes=30)
MOST_PAGES = 1000  # of one reading; a CRM with more is going in circles
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StaffNamesJob:
    """One source's lists: how to ask for them, how often, and for which account the names are valid."""

    definition: Definition
    api: Client
    every: timedelta
    per_minute: int
    account: str

    @property
    def source(self) -> str:
        """Whose lists they are."""
        return self.definition.name


@dataclass(slots=True)
class StaffReading:
    """A reading in progress, kept in memory: another worker starts again."""

    lease: datetime | None = None
    at: StaffPlace = field(default_factory=StaffPlace)
    pages: int = 0
    named: dict[tuple[str, str], str] = field(default_factory=dict)


def jobs_of(settings: Settings, clock: Clock) -> Mapping[str, StaffNamesJob]:
    """Return the lists to read. Raises SettingsError."""
    return {
        definition.name: StaffNamesJob(
            definition, Client(api, clock), api.names_every, api.per_minute, _account(definition)
        )
        for definition, api in load_with_api(settings)
        if definition.grammar.staff and api.names_every
    }


def begin(engine: Engine, settings: Settings, clock: Clock) -> Mapping[str, StaffNamesJob]:
    """Make sure every source that is asked has its row, and return the lists."""
    jobs = jobs_of(settings, clock)
    with writing(engine) as connection:
        holds.enrol(connection, jobs, clock())
    return jobs


def _account(definition: Definition) -> str:
    """Names are valid for the account of their source; for all accounts if its events choose among several."""
    return EVERY_ACCOUNT if len(definition.accounts) > 1 else definition.account or EVERY_ACCOUNT


def look_up_names(engine: Engine, settings: Settings, job: StaffNamesJob, going: StaffReading, clock: Clock) -> bool:
    """Read one page, if one is due and the limits allow it; False: nothing to do for now."""
    with reading(engine) as connection:
        if not names_due.is_due(connection, job.source, clock(), job.every, going.lease):
            _begin_anew(going)  # if we had begun: another worker has taken it from us
            return False
        if holds.rests(connection, job.source, clock()):
            return False
    with writing(engine) as connection:
        if not _take(connection, job, going, clock()):
            return False
    page = read_staff(job.definition, job.api, going.at, clock())
    is_worth_going_on = page.next is not None or bool(going.named)
    with writing(engine) as connection:
        if page.problem in OF_THE_API or (page.problem and not is_worth_going_on):
            _put_off(connection, job, page, clock())
            _begin_anew(going)
            return False
        if page.problem:
            log.warning("names_not_looked_up", source=job.source, problem=page.problem)  # but those of other lists
        return _went_on(connection, settings, job, going, page, clock())


def _take(connection: Connection, job: StaffNamesJob, going: StaffReading, now: datetime) -> bool:
    stands = holds.lock(connection, job.source)
    if stands.rests(now) or not names_due.is_due(connection, job.source, now, job.every, going.lease):
        return False
    if not holds.spend(connection, job.source, 1, job.per_minute, now):
        return False
    going.lease = names_due.put_off(connection, job.source, now + names_due.LEASE)
    return True


def _went_on(
    connection: Connection,
    settings: Settings,
    job: StaffNamesJob,
    going: StaffReading,
    page: StaffPage,
    now: datetime,
) -> bool:
    """Turn the page, or keep what all pages said."""
    holds.answered(connection, holds.lock(connection, job.source), now)
    going.named |= {(kind, person_id): name for kind, person_id, name in page.named}
    going.pages += 1
    if page.next is not None and going.pages < MOST_PAGES:
        going.at = page.next
        return True
    if page.next is not None:
        log.warning("names_not_looked_up", source=job.source, problem="many_pages")
    by = f"source:{job.source}"
    found = [ToldName(kind, person_id, name) for (kind, person_id), name in going.named.items()]
    new = learn(connection, settings, found, job.account, by, now)
    if new:
        log_access(connection, by, "people.look_up", {"names": len(found), "new": new}, now)
        log.info("names_looked_up", source=job.source, names=len(found), new=new)
    names_due.put_off(connection, job.source, now + job.every)
    _begin_anew(going)
    return False


def _begin_anew(going: StaffReading) -> None:
    going.lease, going.at, going.pages = None, StaffPlace(), 0
    going.named.clear()


def _put_off(connection: Connection, job: StaffNamesJob, page: StaffPage, now: datetime) -> None:
    """The list could not be read: a refused key concerns the whole source, a missing right or page only the list."""
    until = now + job.every
    match page.problem:
        case "refused_401":
            holds.hold(connection, job.source, page.problem, now)
        case "limited":
            until = now + (page.again_in or AWAY)
            holds.pause(connection, job.source, until, now)
        case "away":
            holds.went_away(connection, job.source, now)
            until = now + AWAY
    log.warning("names_not_looked_up", source=job.source, problem=page.problem)
    names_due.put_off(connection, job.source, until)
