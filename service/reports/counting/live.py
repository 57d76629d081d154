"""Live counts that are exactly those of the ledger, at the price of the roll-ups.

    whole months and days from the roll-ups, the edges of the period from the ledger,
    + requests that are in no roll-up yet,
    - what the roll-ups hold of requests that have changed since, + what these say now

All in one read transaction. If the roll-ups cannot answer, or too much has changed, the ledger does. Never writes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.db.transaction_cache import once_per_transaction
from service.models import feedback_request, result, tally
from service.reports.counting.book import TallyBook, book_of
from service.reports.counting.facts import AMONG, CLOCKS, Facts, counted_facts, facts_of
from service.reports.counting.from_ledger import ledger_lines
from service.reports.counting.lines import Line, QuestionForm, Slice, Wanted
from service.reports.counting.periods import first_whole_day
from service.reports.counting.tally import SCORES, SPANS, count_columns, grain_for, month_of, next_month, scored_column
from service.reports.counting.zones import day_and_hour, day_of, number_of
from service.reports.days import midnight
from service.reports.dimensions import NAMED
from service.reports.visible import ACCOUNTS, View

fr = feedback_request.c
res = result.c
tl = tally.c
MOST_CHANGED = 20_000  # more, and the ledger is quicker
UNSEALED = fr.sealed.is_(None)
NEW = sa.and_(UNSEALED, fr.counted.is_(None))
"""In no roll-up yet: any number of these after a burst, or while no worker is at work."""

COUNTED = sa.not_(NEW)
IS_ANY_NEW = sa.select(sa.exists().where(NEW))
CHANGED = sa.select(fr.id).where(UNSEALED, COUNTED).limit(sa.bindparam("most", type_=sa.Integer()))

EVER = (-1_000_000, 1_000_000)  # days since 1970, far beyond any date we take
Days = tuple[int, int]
"""[first, end), in days since 1970."""


@dataclass(frozen=True, slots=True)
class CoveredPeriod:
    """The part of a period that roll-ups cover: days [first, end), including whole months [from_month, to_month)."""

    first: int
    end: int
    from_month: int
    to_month: int

    def spans(self, *, monthly: bool) -> list[tuple[str, list[Days]]]:
        """The rows that add up to it: those of which span begin within which days. One index covers all of months."""
        if not monthly:
            return [("day", [(self.first, self.end)])]
        around = [(self.first, self.from_month), (self.to_month, self.end)]
        found = [("month", [(self.from_month, self.to_month)]), ("day", around)]
        return [(span, kept) for span, days in found if (kept := [each for each in days if each[0] < each[1]])]


def lines(connection: Connection, view: View, q: Slice) -> list[Line]:
    """Answer exactly, for this view and moment."""
    book = once_per_transaction(connection, "book", lambda: book_of(connection))
    grain = grain_for(q.dimensions)
    if q.clock not in CLOCKS or grain is None or not book.holds(q.zone):
        return list(ledger_lines(connection, view, q))
    cover = cover_of(q, whole_months=grain in SPANS)
    changed = None if cover is None or (q.daily and grain in SPANS) else _changed(connection, view, book)
    if cover is None or changed is None:
        return list(ledger_lines(connection, view, q))
    parts = [_rolled_up(connection, view, q, book, grain, cover), _corrections(view, q, cover, changed)]
    if once_per_transaction(connection, "new", lambda: connection.scalar(IS_ANY_NEW)):
        parts.append(ledger_lines(connection, view, _within(q, cover), NEW))
    return list(chain(*parts, *(ledger_lines(connection, view, edge) for edge in edges_of(q, cover))))


def cover_of(q: Slice, *, whole_months: bool = False) -> CoveredPeriod | None:
    """The whole days of a period, or its whole months; None if there are none."""
    begin = first_whole_day(q.since, q.zone)
    first = EVER[0] if begin is None else number_of(begin)
    end = EVER[1] if q.until is None else day_and_hour(q.until, q.zone)[0]
    from_month = first if q.since is None or month_of(first) == first else next_month(first)
    to_month = end if q.until is None else month_of(end)
    if whole_months:
        first, end = from_month, to_month
    if first >= end:
        return None
    if from_month >= to_month:
        from_month = to_month = end
    return CoveredPeriod(first, end, from_month, to_month)


def edges_of(q: Slice, cover: CoveredPeriod) -> Iterator[Slice]:
    """What is left of the period before and after its cover."""
    if q.since is not None and q.since < (begin := midnight(day_of(cover.first), q.zone)):
        yield replace(q, until=begin)
    if q.until is not None and (end := midnight(day_of(cover.end), q.zone)) < q.until:
        yield replace(q, since=end)


def _within(q: Slice, cover: CoveredPeriod) -> Slice:
    """The part of the period that roll-ups hold."""
    since = None if q.since is None else midnight(day_of(cover.first), q.zone)
    return replace(q, since=since, until=None if q.until is None else midnight(day_of(cover.end), q.zone))


def _rolled_up(
    connection: Connection, view: View, q: Slice, book: TallyBook, grain: str, cover: CoveredPeriod
) -> Iterator[Line]:
    groups = len(q.by)
    for span, days in cover.spans(monthly=not q.daily):
        asked = {**view.values, **q.values, "generation": book.generation, "clock": q.clock, "grain": grain}
        edges = {name: day for place, ends in enumerate(days) for name, day in zip(_named(place), ends, strict=True)}
        for row in connection.execute(_statement(q.form, len(days)), {**asked, "span": span, **edges}):
            day, kind, variant, way, state, reason, *counts = row[groups:]
            n, answered, commented, *scores = counts if q.wanted != "scores" else (sum(counts), sum(counts), 0, *counts)
            yield Line(row[:groups], day, kind, variant, way, state, reason, n, answered, commented, tuple(scores))


@lru_cache(maxsize=256)
def _statement(form: QuestionForm, stretches: int) -> sa.Select[Any]:
    """Add up the rows that begin within so many stretches of days."""
    day = tl.start if form.dated else sa.null()
    columns = [*(tl[name] for name in form.by), day, tl.type, tl.variant, tl.way, tl.state, tl.reason]
    labelled = [column.label(f"c{place}") for place, column in enumerate(columns)]
    ours = [tl[name] == sa.bindparam(name) for name in ("generation", "clock", "grain", "span")]
    within = [_named(place) for place in range(stretches)]
    begun = [sa.and_(tl.start >= sa.bindparam(first), tl.start < sa.bindparam(end)) for first, end in within]
    query = sa.select(*labelled, *_sums(form.wanted)).where(*ours, tl.account.in_(ACCOUNTS), sa.or_(*begun))
    return query.where(*form.narrowed(tl)).group_by(*(sa.text(str(place + 1)) for place in range(len(labelled))))


def _named(stretch: int) -> tuple[str, str]:
    return f"first_{stretch}", f"end_{stretch}"


def _sums(wanted: Wanted) -> Sequence[sa.ColumnElement[int]]:
    """What must be added up for it: n, answered, commented and the scores, or less."""
    sums = count_columns()
    if wanted == "everything":
        return sums
    return sums[-len(SCORES) :] if wanted == "scores" else (*sums[: -len(SCORES)], scored_column())


Correction = tuple[Facts | None, Facts | None]
"""What the roll-ups hold of a request, and what may be told of it now."""


def _changed(connection: Connection, view: View, book: TallyBook) -> list[Correction] | None:
    """Requests that have changed since they were counted, and answers still under embargo; None: too many."""
    asked = (_changed, view, book)
    return once_per_transaction(connection, asked, lambda: _changed_now(connection, view, book))


def _changed_now(connection: Connection, view: View, book: TallyBook) -> list[Correction] | None:
    ids = set(connection.scalars(CHANGED, {"most": MOST_CHANGED}))
    if view.cutoff is not None:
        late = sa.select(res.request_id).where(res.updated_at >= view.cutoff, view.held_back)
        ids.update(connection.scalars(late.limit(MOST_CHANGED)))
    if len(ids) >= MOST_CHANGED:
        return None
    found = facts_of(connection, view.cutoff, AMONG, COUNTED, ids=sorted(ids)) if ids else ()
    return [(counted_facts(counted, book.generation), present) for _, counted, present in found]


def _corrections(view: View, q: Slice, cover: CoveredPeriod, changed: Sequence[Correction]) -> Iterator[Line]:
    for held, present in changed:
        if held != present:
            yield from _line(view, q, cover, held, -1)
            yield from _line(view, q, cover, present, 1)


def _line(view: View, q: Slice, cover: CoveredPeriod, facts: Facts | None, sign: int) -> Iterator[Line]:
    """One conversation added or subtracted, if the question includes it."""
    moment = None if facts is None else facts.moments[CLOCKS.index(q.clock)]
    if facts is None or moment is None or (q.types and facts.type not in q.types):
        return
    day, hour = day_and_hour(moment, q.zone)
    groups: dict[str, Any] = {**facts.groups, "hour": hour}
    if groups["account"] not in view.accounts or not cover.first <= day < cover.end:
        return
    if any(groups[name] not in NAMED[name].held(values) for name, values in q.chosen.items()):
        return
    scores = tuple(sign if facts.score == each else 0 for each in range(11))
    yield Line(
        tuple(groups[name] for name in q.by), day if q.daily or q.monthly else None, facts.type,
        groups["variant"], groups["way"],
        facts.state, facts.reason, sign, sign * facts.answered, sign * facts.commented, scores,
    )  # fmt: skip
