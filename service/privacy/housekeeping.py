"""Retention and erasure across the chapters, with counts of what went, per kind of data.

Each chapter deletes its own rows; this file calls them in one order. `dry_run` counts and changes nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from service.auth import chain, log_access, sessions
from service.customers import contacts, crm_matches, identities, opted_out, two_person_rule
from service.customers.hash_key import find, open_key
from service.db import reading, upsert, writing
from service.db.batch_deletion import Overdue, Stop, count, forget, never
from service.db.sqlite import empty_log
from service.errors import ServiceError
from service.ids import person
from service.intake.inbox import forget as intake
from service.metrics import totals
from service.models import retention_run, worker_seen
from service.outreach.context import Workplace
from service.partitions import upkeep
from service.partitions.cuts import TableCut
from service.privacy import held
from service.reports.rows import marks, notes
from service.requests import forget as requests
from service.requests.retry import RetryPolicy
from service.requests.writer import Writer
from service.results import forget as results
from service.settings import Settings
from service.sources import call_counts, waiting
from service.web import idempotency

WORKER_FORGOTTEN = timedelta(days=1)
ANEW = "erased_anew"
CLOCKS_AND_COMMITS = timedelta(hours=1)  # a row may be seen this long after the time in it
log = structlog.get_logger(__name__)
Task = Callable[[], int]
Clear = Callable[[Connection, datetime], object]


def is_due(engine: Engine, now: datetime, every: timedelta) -> bool:
    """Whether retention has not run for so long; a run in progress has finished some kind of data since."""
    with reading(engine) as connection:
        last = connection.scalar(sa.select(sa.func.max(retention_run.c.finished_at)))
    return last is None or not now - every < last <= now  # nothing follows from a clock that was set back


def prune(
    engine: Engine, settings: Settings, now: datetime, *,
    dry_run: bool, stop: Stop = never, every: timedelta = timedelta(),
) -> Mapping[str, int]:  # fmt: skip
    """Delete what is older than its retention, in small commits; a kind that fails stops no other.

    Passes over kinds that were done within `every`. Returns the number of rows per kind. Raises the first failure once
    all others have had their turn.
    """
    if dry_run:
        return {name: task() for name, task in _tasks(engine, settings, now, dry_run=True, stop=stop)}
    counts: dict[str, int] = {}
    done: frozenset[str] = frozenset()
    failures: list[Exception] = []
    tasks: list[tuple[str, Task]] = []
    with _apart("partitioning", failures):
        upkeep.give_up_traps(engine, settings.privacy, now)
    with _apart("kinds", failures):
        done = _done(engine, now, every)
        tasks.extend(_tasks(engine, settings, now, dry_run=False, stop=stop))
    for name, task in (each for each in tasks if each[0] not in done):
        with _apart(name, failures):
            counts[name] = task()
            if not stop():
                _note(engine, name, counts[name], now)
    empty_log(engine)
    for name, clear in () if stop() else CLEARED.items():
        with _apart(name, failures), writing(engine) as connection:
            clear(connection, now)
    if not failures and not stop():
        _forget_kinds(engine, [name for name, _ in tasks])
    if failures:
        raise failures[0]
    return counts


def _done(engine: Engine, now: datetime, every: timedelta) -> frozenset[str]:
    finished = retention_run.c.finished_at
    with reading(engine) as connection:
        lately = sa.select(retention_run.c.kind).where(finished > now - every, finished <= now)
        return frozenset(connection.scalars(lately))


@contextmanager
def _apart(name: str, failures: list[Exception]) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, ServiceError) as error:
        log.warning("not_forgotten", kind=name, error=type(error).__name__)
        failures.append(error)


def _tasks(
    engine: Engine, settings: Settings, now: datetime, *, dry_run: bool, stop: Stop
) -> Iterator[tuple[str, Task]]:
    """How each kind is counted or forgotten."""
    cut = upkeep.those_cut(engine, settings.privacy)
    yield from upkeep.tasks(engine, settings.privacy, cut, now, dry_run=dry_run, stop=stop)
    before = upkeep.rest_before(now - settings.privacy.keep_access_log, cut.get("access_log"))
    yield "access_log", partial(_lines_due, engine, before) if dry_run else partial(_prune_lines, engine, before, stop)
    yield ANEW, partial(_erase_anew, engine, settings, now, dry_run=dry_run, stop=stop)
    yield "identities", partial(_identities, engine, settings, now, dry_run=dry_run, stop=stop)
    for kind in _kinds(settings, now, cut):
        yield kind.name, partial(count, engine, kind) if dry_run else partial(forget, engine, kind, stop)


def _erase_anew(engine: Engine, settings: Settings, now: datetime, *, dry_run: bool, stop: Stop) -> int:
    """Erase again who was erased and is named since: by a late delivery, a CRM's list, a lookup that was under way."""
    back = _come_back(engine, settings, now)
    for x_user_id in () if dry_run else back:
        if stop():
            break
        erase(engine, settings, x_user_id, by="retention", now=now)
    return len(back)


def _come_back(engine: Engine, settings: Settings, now: datetime) -> frozenset[str]:
    with reading(engine) as connection:
        hash_key, erased = find(connection, settings.service.secret_key), opted_out.erased(connection)
        if hash_key is None or not erased:
            return frozenset()
        last = connection.scalar(sa.select(retention_run.c.finished_at).where(retention_run.c.kind == ANEW))
        since = now - identities_kept(settings) if last is None else last - CLOCKS_AND_COMMITS
        named = requests.named_since(connection, since)
        return frozenset(each for each in named if person(hash_key, each) in erased)


def identities_kept(settings: Settings) -> timedelta:
    """How long X's ids and handles are kept: never shorter than a cooldown, or somebody would be asked too soon."""
    return max(settings.privacy.keep_identities, *(each.cooldown for each in settings.campaigns), timedelta())


def _identities(engine: Engine, settings: Settings, now: datetime, *, dry_run: bool, stop: Stop) -> int:
    """Forget who customers were. To open the key may write it first, which counting does not need."""
    hash_key = "" if dry_run else open_key(engine, settings.service.secret_key)
    writer = Writer("retention", RetryPolicy(settings.worker.max_attempts, settings.worker.give_up_after))
    kind = requests.without_identity(now - identities_kept(settings), hash_key=hash_key, writer=writer, now=now)
    return count(engine, kind) if dry_run else forget(engine, kind, stop)


def _kinds(settings: Settings, now: datetime, cut: Mapping[str, TableCut]) -> Iterator[Overdue]:
    keep = settings.privacy
    identities_before, history_before = now - identities_kept(settings), now - keep.keep_history
    yield upkeep.rest_of(intake.too_old, now - keep.keep_deliveries, cut.get("webhook_delivery"))
    if "webhook_delivery" not in cut:  # there all go with their piece
        yield intake.led_to_nothing(now - max(keep.keep_repeats, keep.keep_deliveries))
    yield upkeep.rest_of(requests.history, history_before, cut.get("transition"))
    yield identities.too_old(identities_before)
    yield crm_matches.too_old(now)
    yield contacts.too_old(now)
    yield from results.too_old(texts_before=now - keep.keep_texts, history_before=history_before, now=now)


def _lines_due(engine: Engine, before: datetime) -> int:
    with reading(engine) as connection:
        return chain.older_than(connection, before)


def _prune_lines(engine: Engine, before: datetime, stop: Stop) -> int:
    chain.seal_what_waits(engine)
    gone = 0
    while not stop():
        with writing(engine) as connection:
            some = chain.prune(connection, before)
        if not some:
            break
        gone += some
    return gone


def _forget_workers(connection: Connection, now: datetime) -> None:
    connection.execute(sa.delete(worker_seen).where(worker_seen.c.seen_at < now - WORKER_FORGOTTEN))


CLEARED: Mapping[str, Clear] = {
    "sessions": sessions.prune,
    "look_up_counts": call_counts.prune,
    "look_ups": lambda connection, _now: waiting.forget_ended(connection),
    "process_counts": totals.fold,
    "erasures_asked_for": two_person_rule.prune,
    "posts": idempotency.prune,
    "workers": _forget_workers,
}
"""What is of use for a while only, and of nobody's retention: cleared away by the way, and not counted."""


def _note(engine: Engine, kind: str, rows: int, now: datetime) -> None:
    """Record that nothing of a kind is too old any more, for monitoring to see."""
    with writing(engine) as connection:
        upsert(connection, retention_run, {"kind": kind}, {"finished_at": now, "rows": rows})


def _forget_kinds(engine: Engine, kinds: list[str]) -> None:
    """Remove the records of kinds that no longer exist, such as partitions in a ledger without them."""
    with writing(engine) as connection:
        connection.execute(sa.delete(retention_run).where(retention_run.c.kind.not_in(kinds)))


def erase(engine: Engine, settings: Settings, x_user_id: str, *, by: str, now: datetime) -> Mapping[str, int]:
    """Erase one person everywhere, in one transaction. The score stays as a count unless the settings say otherwise."""
    place = Workplace.open(engine, settings, by)
    with reading(engine) as connection:
        naming = intake.naming(connection, {x_user_id, *held.names_of(connection, x_user_id)}, now)
    with writing(engine) as connection:
        handles = held.names_of(connection, x_user_id)
        requests.recall(connection, x_user_id, handles, hash_key=place.hash_key)
        handles |= requests.handles_of(connection, x_user_id)
        counts = dict(results.erase(connection, x_user_id, scores=settings.privacy.erase_scores, now=now))
        counts["deliveries"] = intake.erase(connection, x_user_id, handles, naming)
        if naming.unreadable:  # whom they name nobody can say: put back from a backup, they are to be erased anew
            counts["deliveries_unreadable"] = naming.unreadable
        counts["notes"] = notes.erase(connection, x_user_id)
        counts["marks"] = marks.erase(connection, x_user_id)
        opted_out.remove(connection, x_user_id, hash_key=place.hash_key)  # who said *stop* before is erased from now on
        opted_out.add(connection, [x_user_id], hash_key=place.hash_key, reason=opted_out.ERASED, by=by, now=now)
        counts["requests"] = requests.erase(connection, x_user_id, place.writer, now)
        counts["handles"] = identities.erase(connection, x_user_id)
        two_person_rule.done(connection, person(place.hash_key, x_user_id))
        counts["found"] = crm_matches.erase(connection, x_user_id, handles)
        counts["contacts"] = contacts.erase(connection, x_user_id, hash_key=place.hash_key)
        log_access(connection, by, "customer.erase", counts, now)
    empty_log(engine)
    return counts
