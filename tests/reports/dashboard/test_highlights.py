"""The first page's highlights: differences that chance does not explain, among everything looked through at once."""

from collections import Counter
from datetime import datetime, timedelta

from service.reports.counting.counts import Answers
from service.reports.dashboard.question import PageQuery
from service.reports.dashboard.this_week import news
from service.reports.figures.differences import Name, Periods, Side, SideRow, differences
from service.reports.figures.printed import Basis, rate_of, score_of
from service.reports.figures.then_now import Differences
from service.reports.filters import Filter
from service.reports.thresholds import DEFAULT

NOW = datetime.fromisoformat("2026-11-22T12:00:00+00:00")
WEEK = timedelta(days=7)
PERIODS = Periods(NOW - 2 * WEEK, NOW - WEEK, NOW - WEEK, NOW)
NOBODY = PageQuery(Filter(), (), NOW.date(), NOW.date(), ())


def row(satisfied: int, of: int) -> SideRow:
    answers = Answers(Counter({5: satisfied, 1: of - satisfied}))
    told = score_of("csat", answers, "scored_at", DEFAULT, Basis())
    return SideRow(told, answers.scores, rate_of("response", 0, 0, "sent_at", DEFAULT))


def table(then: int, now: int) -> Differences:
    """One group moved, of a hundred answers each time; the other stayed. By hours, as these lead to no page."""
    sides = [
        Side({Name(9, None, None): row(each, 100), Name(10, None, None): row(58, 100)}, row(each + 58, 200), row(0, 0))
        for each in (then, now)
    ]
    return differences("csat", ("hour", None), *sides, PERIODS, DEFAULT.difference)


def moved(*tables: Differences) -> list[object]:
    return [one.row.key for one in news(NOBODY, [("hour", each) for each in tables])]


def test_a_significant_change_is_a_highlight() -> None:
    assert moved(table(50, 66)) == [9]
    assert moved(*[table(50, 80)] * 5) == [9] * 5


def test_chance_differences_among_many_tables_are_no_highlights() -> None:
    """Each alone says better; of so many one would say so by chance."""
    one = table(50, 66)
    assert {each.key: each.judgement for each in one.rows}[9] == "better"
    assert moved(*[one] * 6) == []
