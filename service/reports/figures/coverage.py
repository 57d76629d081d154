"""Coverage: who was offered the card in each group, beside what chance alone would do."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from service.reports.counting.counts import Counts
from service.reports.dimensions import Value
from service.reports.figures.inquiry import REST
from service.reports.figures.printed import reasons
from service.reports.figures.shapes import Coverage, CoverageRow
from service.reports.statistics import statistics


def coverage_of(
    by: str,
    groups: Mapping[Value, Counts],
    total: Counts,
    since: datetime | None,
    until: datetime | None,
    few: Counts | None,
) -> Coverage:
    """Each group against the overall share; `few`: those who are not named come last.

    Conversations that no campaign took have no way: none could be asked about, so no way is compared with them.
    """
    every, apart = _row(None, total, None), {None} if by == "way" else set()
    of_all = _share(each for key, each in groups.items() if key not in apart) if apart else every.share
    rows = [
        _row(None if key is None else str(key), each, None if key in apart else of_all) for key, each in groups.items()
    ]
    rows.sort(key=lambda row: (row.key is None, row.key))
    rows += [] if few is None else [replace(_row(None, few, of_all), rest=REST)]
    return Coverage(by, since, until, tuple(rows), every)


def _share(groups: Iterable[Counts]) -> float | None:
    told = [(each.delivered, each.ended - each.pending) for each in groups]
    return statistics.rate(sum(offered for offered, _ in told), sum(decided for _, decided in told)).value


def _row(key: str | None, counts: Counts, of_all: float | None) -> CoverageRow:
    decided = counts.ended - counts.pending
    limits = None if of_all is None else statistics.control_limits(of_all, decided)
    return CoverageRow(
        key=key,
        ended=counts.ended,
        pending=counts.pending,
        decided=decided,
        offered=counts.delivered,
        unknown=counts.unknown,
        skipped=reasons(counts.skipped),
        failed=reasons(counts.failed),
        share=statistics.rate(counts.delivered, decided).value,
        limit_low=None if limits is None else limits.low,
        limit_high=None if limits is None else limits.high,
        place=None if of_all is None else statistics.place(counts.delivered, decided, of_all),
    )
