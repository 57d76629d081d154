"""Reads a CRM's list page by page and stores ended conversations whose webhook never came.

One page at a time, within the source's limits, with no transaction open during the call. What is already known is left
out; the rest is stored through the same door as a delivery, with the same key and the same judgement, so whichever
comes first, nobody is asked twice. A page's finds are stored before the page is turned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.engine import Connection, Engine

from service.clock import Clock
from service.crm_api.client import Client
from service.db import reading, writing
from service.intake.crm.conversation_list import ListedConversation, PageWanted, ended, read_page
from service.intake.crm.list_page import ListPage
from service.intake.definition.crm_lists import Sweep
from service.intake.definition.load import load_with_api
from service.intake.definition.tables import Definition
from service.intake.inbox.accept import arrive
from service.intake.inbox.group import commit
from service.intake.inbox.judging import timelines
from service.intake.mapping.events import ConversationEnded, ConversationReopened, Reading
from service.intake.verify.verifier import Verified
from service.requests.retry import wait
from service.settings import Settings
from service.sources import call_counts, holds, sweeps, waiting
from service.sources.sweeps import Sweeping

LONGEST_BACK = timedelta(days=7)  # of a list that was not read for weeks: what ended before is stale
MOST_PAGES = 10_000  # of one reading; a CRM that has more of them turns in a circle
HALF = 2  # of a source's calls may be ours: look-ups are what somebody waits for
OURS = Verified(None, "swept")
log = structlog.get_logger("intake")


@dataclass(frozen=True, slots=True)
class SweepJob:
    """One source's list: how it is read, and how often."""

    definition: Definition
    sweep: Sweep
    api: Client
    every: timedelta
    per_minute: int

    @property
    def source(self) -> str:
        """Whose list it is."""
        return self.definition.name

    @property
    def pace(self) -> timedelta:
        """The time between two pages."""
        return timedelta(minutes=1) / min(self.sweep.per_minute, max(1, self.per_minute // HALF))


def jobs_of(settings: Settings, clock: Clock) -> Mapping[str, SweepJob]:
    """Return the lists to read: of sources with a [sweep] and an API. Raises SettingsError."""
    return {
        definition.name: SweepJob(definition, sweep, Client(api, clock), api.sweep_every, api.per_minute)
        for definition, api in load_with_api(settings)
        if (sweep := definition.grammar.sweep) is not None and api.sweep_every
    }


def begin(engine: Engine, jobs: Mapping[str, SweepJob], now: datetime) -> Mapping[str, SweepJob]:
    """Make sure every list has its row, and return the lists; reading starts when a row is created."""
    with writing(engine) as connection:
        holds.enrol(connection, jobs, now)
        sweeps.enrol(connection, jobs, now)
    return jobs


def sweep_once(engine: Engine, job: SweepJob, clock: Clock) -> bool:
    """Read one page, if one is due and the limits allow it; False: nothing to do for now."""
    now = clock()
    with reading(engine) as connection:
        if not sweeps.is_due(connection, job.source, now, job.every) or holds.rests(connection, job.source, now):
            return False
    with writing(engine) as connection:
        taken = _take(connection, job, clock())
    if taken is None:
        return False
    since = max(taken.read_until - job.sweep.overlap, clock() - LONGEST_BACK)
    page = read_page(job.definition, job.sweep, job.api, PageWanted(since, taken.cursor, taken.page), clock())
    if page.problem is not None:
        with writing(engine) as connection:
            _put_off(connection, job, taken, page, clock())
        return False
    found = _store(engine, job.definition, page.items, since, clock())
    with writing(engine) as connection:
        _record(connection, job, taken, page, found, clock())
    return True


def _take(connection: Connection, job: SweepJob, now: datetime) -> Sweeping | None:
    stands = holds.lock(connection, job.source)
    if stands.rests(now) or not sweeps.is_due(connection, job.source, now, job.every):
        return None
    if not holds.spend(connection, job.source, 1, job.per_minute, now):
        return None
    return sweeps.take(connection, job.source, now, job.every)


def news(
    connection: Connection, definition: Definition, listed: Sequence[ListedConversation], since: datetime
) -> list[ListedConversation]:
    """Leave out what is known: most conversations came by webhook, and every reading lists them again.

    What ended before `since` is left out too: it was found earlier, or ended before we were set up.
    """
    told = [
        each for one in listed for each in one.readings if isinstance(each, ConversationEnded | ConversationReopened)
    ]
    known = timelines(connection, {(definition.name, each.conversation_id) for each in told})
    apart = definition.grammar.events.apart

    def is_new(each: Reading) -> bool:
        if isinstance(each, ConversationReopened):
            return each.reopened_at not in known[definition.name, each.conversation_id].reopened
        if not isinstance(each, ConversationEnded) or each.ended_at < since:
            return False
        return known[definition.name, each.conversation_id].repeat(each.ended_at, apart) is None

    return [one for one in listed if any(is_new(each) for each in one.readings)]


def _store(
    engine: Engine, definition: Definition, listed: Sequence[ListedConversation], since: datetime, now: datetime
) -> int:
    """Store what is new; return how many ends that were. Raises what the database raises."""
    with reading(engine) as connection:
        new = news(connection, definition, listed, since)
    for outcome in commit(engine, [arrive(definition, one.inbound, OURS, one.readings, now) for one in new]):
        if isinstance(outcome, Exception):
            raise outcome
    return sum(map(ended, new))


def _record(connection: Connection, job: SweepJob, taken: Sweeping, page: ListPage, found: int, now: datetime) -> None:
    holds.answered(connection, holds.lock(connection, job.source), now)
    known = sum(map(ended, page.items)) - found
    for outcome, by in ((call_counts.SWEPT, found), (call_counts.SWEPT_KNOWN, known)):
        if by:
            call_counts.count(connection, job.source, outcome, now, by)
    if page.turns(taken.cursor) and taken.page < MOST_PAGES:
        sweeps.turn_page(connection, taken, page.next, now + job.pace)
    else:
        if page.turns(taken.cursor):
            log.warning("intake.not_swept", source=job.source, problem="many_pages", page=taken.page)
        sweeps.done(connection, taken, now + job.every)
    if found or page.notes:
        log.info("intake.swept", source=job.source, page=taken.page, found=found, notes=sorted(set(page.notes)))


def _put_off(connection: Connection, job: SweepJob, taken: Sweeping, page: ListPage, now: datetime) -> None:
    """Record that the list could not be read: a refused key concerns the source, a missing right or page the list."""
    problem, pause = page.problem or "", min(wait(taken.attempts + 1, taken.source), waiting.LONGEST)
    holds.lock(connection, job.source)
    call_counts.count(connection, job.source, call_counts.SWEEP_FAILED, now)
    match problem:
        case "refused_401":
            holds.hold(connection, job.source, problem, now)
        case "limited":
            holds.pause(connection, job.source, now + (page.again_in or pause), now)
        case "away":
            holds.went_away(connection, job.source, now)
        case _ if taken.cursor is None:
            pause = job.every
    log.warning("intake.not_swept", source=job.source, problem=problem, page=taken.page, notes=list(page.notes))
    sweeps.put_off(connection, taken, problem, now + pause, anew=problem.startswith("status_"))
