"""Figures as pictures: in, what `figures` published; out, a drawing and the table that says the same in numbers.

Every picture has its table, so that nothing is told by a drawing alone. What is hidden is a gap here and a word there.
Calculates nothing but shares of what is printed beside them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from markupsafe import Markup

from service.reports.dashboard import charts, words
from service.reports.dashboard.charts import ChartPoint as Point
from service.reports.dashboard.charts import FunnelStep, IntervalRow
from service.reports.dashboard.svg import Caption
from service.reports.figures.figures import (
    Breakdown,
    BreakdownRow,
    Coverage,
    CoverageRow,
    Funnel,
    Score,
    Trend,
    TrendPoint,
)
from service.reports.statistics.statistics import nps_classes

SCALE = {"nps": (-100.0, 100.0), "csat": (0.0, 100.0)}
TITLES = {"nps": "Net Promoter Score", "csat": "Customer satisfaction"}
WITHOUT_NAME = "without one"
WHY_HIDDEN = {
    "too_few": "too few answers",
    "waits": "no release holds these days yet",
    "releases_being_made": "releases are being made",
    "pooled": "too small to be told apart",
    "by_account_only": "told of whole accounts only",
}
REST = {"not_named": "not named", "other_groups": "all others"}
PLACES = {
    "below": "below the band",
    "inside": "inside the band",
    "above": "above the band",
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing and its table; the first column heads its row."""

    svg: Markup
    name: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def of_score(score: Score) -> list[Picture]:
    """The distribution; for NPS the three classes above it."""
    if score.suppressed or not score.n:
        return []
    counts = dict(score.distribution)
    return [*([_classes(counts)] if score.type == "nps" else []), _distribution(score, counts)]


def _classes(counts: Mapping[int, int]) -> Picture:
    names = ("Detractors (0 to 6)", "Passives (7 and 8)", "Promoters (9 and 10)")
    parts = nps_classes(counts)
    rows = tuple((name, words.count(n), _share(n, sum(parts))) for name, n in zip(names, parts, strict=True))
    caption = Caption("nps-classes", "Detractors, passives and promoters", _spoken(rows))
    drawn = charts.stacked_nps(*parts, caption)
    return Picture(drawn, "The classes", "Classes of the Net Promoter Score", ("Class", "Answers", "Share"), rows)


def _distribution(score: Score, counts: Mapping[int, int]) -> Picture:
    title = f"{words.words(score.type)}: how many gave which score"
    total = sum(counts.values())
    rows = tuple((str(value), words.count(n), _share(n, total)) for value, n in counts.items())
    caption = Caption(f"{score.type}-scores", title, _spoken(rows))
    drawn = charts.distribution_bars(counts, "nps" if score.type == "nps" else "csat", caption)
    return Picture(drawn, "The scores", title, ("Score", "Answers", "Share"), rows)


def of_trend(trend: Trend) -> Picture:
    """One line with its band, n below; gaps where a period is hidden or empty."""
    title, zone = f"{TITLES[trend.type]} by {trend.period}", ZoneInfo(trend.zone)
    points = [
        Point(
            words.period(each.since, trend.period, zone),
            each.score.n,
            each.score.value,
            each.score.low,
            each.score.high,
            immature=each.immature,
        )
        for each in trend.points
    ]
    rows = tuple(
        (
            words.day(each.since, zone) + (" (still filling)" if each.immature else ""),
            *_score_cells(each.score),
            _rate_cell(each),
        )
        for each in trend.points
    )
    told = sum(point.value is not None for point in points)
    says = f"{told} of {len(points)} periods can be shown; the table below has every value, interval and n."
    low, high = SCALE[trend.type]
    drawn = charts.trend(points, Caption(f"{trend.type}-trend", title, says), low, high)
    head = (f"{trend.period.capitalize()} of", "Score", "95 % interval", "n", "Response rate")
    return Picture(drawn, "The line", title, head, rows)


def of_breakdown(breakdown: Breakdown, rows: Sequence[BreakdownRow]) -> Picture:
    """Dot and interval of these groups on one scale."""
    drawn = [
        IntervalRow(name_of(row), row.score.n, row.score.value, row.score.low, row.score.high, row.score.low_base)
        for row in rows
    ]
    title = f"{TITLES[breakdown.type]} by {breakdown.by}"
    low, high = SCALE[breakdown.type]
    says = "Each dot is a group's score, the line through it the 95 % interval. Where lines overlap no order is shown."
    svg = charts.interval_rows(drawn, Caption(f"{breakdown.type}-groups", title, says), low, high)
    return Picture(svg, "The groups", title, (), ())


def asked_about(breakdown: Breakdown) -> list[BreakdownRow]:
    """The groups that a card of this kind was sent for, or that have answers; the others would only fill the page."""
    return [row for row in breakdown.rows if row.delivered or row.score.n or row.score.suppressed]


def overlapping(row: BreakdownRow, rows: Sequence[BreakdownRow]) -> list[str]:
    """The other groups whose interval overlaps this one's: between them no order is shown."""
    others = (each for each in rows if each is not row)
    return [name_of(each) for each in others if _overlap(row.score, each.score)]


def of_funnel(funnel: Funnel) -> Picture:
    """From ended to answered; hidden counts end the drawing where they begin."""
    steps: list[tuple[str, int | None]] = [("Conversations ended", funnel.ended), ("Card delivered", funnel.delivered)]
    answers = [("Answered", funnel.answered), ("with a score", funnel.scored), ("with a comment", funnel.commented)]
    rows = tuple(
        (name, words.count(n) if n is not None else WHY_HIDDEN.get(funnel.suppressed or "", "not shown"))
        for name, n in [*steps, *answers]
    )
    drawn = [FunnelStep(name, n) for name, n in [*steps, answers[0]] if n is not None]
    says = f"{_spoken(rows)} The same conversations from step to step."
    return Picture(
        charts.funnel(drawn, Caption("funnel", "From ended to answered", says)),
        "The steps",
        "From ended to answered",
        ("Step", "Conversations"),
        rows,
    )


def of_coverage(coverage: Coverage) -> Picture:
    """Each group's share of offered cards against the band in which chance alone would move it."""
    rows = [
        IntervalRow(row_name(row.key), row.decided, row.share, row.limit_low, row.limit_high) for row in coverage.rows
    ]
    title = f"Coverage by {coverage.by}"
    says = (
        "Each dot is the share of ended conversations that were offered the card. The line is the band in which a "
        "group of this size moves by chance around the share of all. A dot outside its line deserves a question."
    )
    drawn = charts.interval_rows(rows, Caption("coverage", title, says), 0, 100)
    return Picture(drawn, "The groups", title, (), ())


def name_of(row: BreakdownRow) -> str:
    """A row's name: a group's, or what it holds instead of one."""
    if row.rest is None:
        return row_name(row.key)
    return REST.get(row.rest, f"others of {row.of}")


def row_name(key: str | int | None) -> str:
    """A group's name."""
    return WITHOUT_NAME if key is None else str(key)


def unusual(rows: Iterable[CoverageRow]) -> list[CoverageRow]:
    """The groups outside their band."""
    return [row for row in rows if row.place in {"below", "above"}]


def _overlap(one: Score, other: Score) -> bool:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.low <= other.high and other.low <= one.high


def _score_cells(score: Score) -> tuple[str, str, str]:
    if score.suppressed:
        return WHY_HIDDEN.get(score.suppressed, "not shown"), words.DASH, words.count(score.n)
    if score.value is None:
        return "no answers", words.DASH, words.count(score.n or 0)
    return words.number(score.value), f"{words.number(score.low)} to {words.number(score.high)}", words.count(score.n)


def _rate_cell(point: TrendPoint) -> str:
    rate = point.response_rate
    if rate.value is None:
        return "not shown" if rate.suppressed else "no cards"
    return f"{words.number(rate.value)} %{' (still filling)' if point.response_immature else ''}"


def _share(part: int, whole: int) -> str:
    return f"{words.number(100 * part / whole)} %" if whole else words.DASH


def _spoken(rows: Sequence[Sequence[str]]) -> str:
    return "; ".join(": ".join((row[0], ", ".join(row[1:]))) for row in rows) + "."
