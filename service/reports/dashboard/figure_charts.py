"""Published figures as a drawing and a table that says the same in numbers.

Nothing is told by a drawing alone. What is hidden is a gap in the one and a word in the other. Calculates nothing but
shares of what is printed beside them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from markupsafe import Markup

from service.reports.dashboard import charts, sentences, words
from service.reports.dashboard.charts import FunnelStep
from service.reports.dashboard.funnel_plot import Spot, funnel_plot
from service.reports.dashboard.line_chart import PeriodPoint, over_time
from service.reports.dashboard.names import full_name
from service.reports.dashboard.row_charts import Strip, strip
from service.reports.dashboard.sentences import TITLES, WHY_HIDDEN
from service.reports.dashboard.svg import Caption
from service.reports.dimensions import NAMED
from service.reports.figures.shapes import CoverageRow, Funnel, Score, Trend, TrendPoint
from service.reports.figures.then_now import Differences, ThenNow
from service.reports.statistics.statistics import classes_of
from service.reports.timeline import TimelineNote

SCALE = {"nps": (-100.0, 100.0), "csat": (0.0, 100.0)}
HAPPENED = "What happened"
PLACES = {"below": "fewer than chance explains", "above": "more than chance explains"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing and its table; the first column heads its row.

    `changed`: the weeks in which the question changed. `said`: the head of the column of words, where there is one.
    """

    svg: Markup
    name: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    changed: tuple[str, ...] = ()
    said: str = ""


def of_score(score: Score) -> list[Picture]:
    """The distribution; for NPS the three classes above it. Releases of groups tell none."""
    counts = dict(score.distribution)
    if score.suppressed or not sum(counts.values()):
        return []
    return [*([_classes(counts)] if score.type == "nps" else []), _distribution(score, counts)]


def _classes(counts: Mapping[int, int]) -> Picture:
    parts = classes_of("nps", counts)
    names = zip(charts.NPS_LABELS, parts, strict=True)
    rows = tuple((name, words.count(n), _share(n, sum(parts))) for name, n in names)
    caption = Caption("nps-classes", "Detractors, passives and promoters", _spoken(rows))
    drawn = charts.stacked_nps(parts, caption)
    return Picture(drawn, "The classes", "Classes of the Net Promoter Score", ("Class", "Answers", "Share"), rows)


def _distribution(score: Score, counts: Mapping[int, int]) -> Picture:
    title = f"{words.words(score.type)}: how many gave which score"
    total = sum(counts.values())
    rows = tuple((str(value), words.count(n), _share(n, total)) for value, n in counts.items())
    caption = Caption(f"{score.type}-scores", title, _spoken(rows))
    drawn = charts.distribution_bars(counts, score.type, caption)
    return Picture(drawn, "The scores", title, ("Score", "Answers", "Share"), rows)


def over_weeks(trend: Trend, notes: Sequence[TimelineNote]) -> Picture:
    """One line with its intervals, n below, events as vertical lines; gaps where a period is hidden or empty."""
    title, zone = f"{TITLES[trend.type]}, the last {len(trend.points)} weeks", ZoneInfo(trend.zone)
    asked = list(zip(trend.points, another_question(trend.points), strict=True))
    happened = [_happened(each, zone, another, notes) for each, another in asked]
    changed = tuple(words.day(_first(each)) for each, another in asked if another)
    points = [_point(each, "week", zone, note) for each, note in zip(trend.points, happened, strict=True)]
    days = [_days(each, zone) if each.score.date_field == "seen_at" else "" for each in trend.points]
    rows = tuple(
        (
            words.day(_first(each)),
            *_score_cells(each.score),
            _rate_cell(each),
            *([span] if any(days) else []),
            note or words.DASH,
        )
        for each, span, note in zip(trend.points, days, happened, strict=True)
    )
    told = sum(point.value is not None for point in points)
    says = f"{told} of {len(points)} weeks can be shown; the table below has every figure."
    low, high = SCALE[trend.type]
    drawn = over_time(points, Caption(f"{trend.type}-weeks", title, says), low, high) if told else Markup("")
    counted = ("Days counted",) if any(days) else ()
    head = ("Week from", "Score", "Probably", "Answers", "Response rate", *counted, HAPPENED)
    return Picture(drawn, "The weeks", title, head, rows, changed, said=HAPPENED)


def of_periods(trend: Trend) -> Markup:
    """The line of a report, by month or week, the last one labelled, with a flag where the question changed."""
    zone = ZoneInfo(trend.zone)
    title = f"{TITLES[trend.type]} by {'month' if trend.period == 'month' else 'week'}"
    asked = zip(trend.points, another_question(trend.points), strict=True)
    points = [_point(each, trend.period, zone, another) for each, another in asked]
    told = "; ".join(f"{each.label}: {each.shown}{each.note and f', {each.note}'}" for each in points)
    return over_time(points, Caption(f"report-{trend.type}", title, f"{told}."), *SCALE[trend.type])


def _first(each: TrendPoint) -> date:
    """The first day of a week or month, however much of it is counted."""
    return date.fromisoformat(each.label)


def _days(each: TrendPoint, zone: ZoneInfo) -> str:
    return words.covered(each.since, each.until, zone)


def another_question(points: Sequence[TrendPoint]) -> list[str]:
    """Beside each period, whether it has answers to another question than the last one with answers before it."""
    told: list[str] = []
    known: tuple[int, ...] = ()
    for asked in (each.score.variants for each in points):
        told.append("another question" if known and asked and asked != known else "")
        known = asked or known
    return told


def _happened(each: TrendPoint, zone: ZoneInfo, another: str, notes: Sequence[TimelineNote]) -> str:
    """What stands on the time line in this period."""
    first, end = each.since.astimezone(zone).date(), each.until.astimezone(zone).date()
    texts = (note.text for note in reversed(notes) if first <= note.day < end)
    return "; ".join(filter(None, (another, *texts)))


def _point(each: TrendPoint, period: str, zone: ZoneInfo, note: str) -> PeriodPoint:
    """One week or month of a trend as it is drawn."""
    return PeriodPoint(
        label=words.period(_first(each), period),
        n=each.score.n,
        value=each.score.value,
        low=each.score.low,
        high=each.score.high,
        shown=sentences.value(each.score),
        fills=_fills(each, zone),
        note=note,
    )


def _fills(each: TrendPoint, zone: ZoneInfo) -> str:
    """Why a point does not say all of its days yet."""
    if each.immature:
        return "answers may still come"
    return f"counted {_days(each, zone)}" if each.partial else ""


def of_funnel(funnel: Funnel) -> Picture:
    """From ended to answered; hidden counts end the drawing where they begin."""
    steps: list[tuple[str, int | None]] = [("Conversations ended", funnel.ended), ("Asked", funnel.delivered)]
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


def of_strip(row: ThenNow, table: Differences) -> Markup:
    """A row of then and now, drawn on the scale of its table."""
    low, high = SCALE[table.type]
    below = row.place == "below"
    drawn = Strip(row.now.value, row.now.low, row.now.high, row.then.value, row.limit_low, row.limit_high, below)
    return strip(drawn, table.total.now.value, low, high)


def of_groups(table: Differences) -> Markup:
    """Every group by its number of answers, against the limits of chance."""
    spots = [spot for row in table.rows if (spot := _spot(row, table)) is not None]
    outside = [spot.name for spot in spots if spot.outside]
    by = " and ".join(NAMED[name].label.lower() for name in (table.by, table.and_by) if name)
    title = f"{TITLES[table.type]} by {by}, over the number of answers"
    says = f"{len(spots)} groups; outside what chance does: {', '.join(outside) or 'none'}."
    low, high = SCALE[table.type]
    caption = Caption(f"{table.type}-funnel", title, says)
    return funnel_plot(spots, table.total.now.value or 0, caption, low, high)


def _spot(row: ThenNow, table: Differences) -> Spot | None:
    now = row.now
    if now.value is None or now.n is None or row.limit_low is None or row.limit_high is None:
        return None
    name, outside = words.middle(full_name(row, table), 18), row.place in {"below", "above"}
    return Spot(name, now.n, now.value, sentences.value(now), row.limit_low, row.limit_high, outside)


def of_response(row: ThenNow, table: Differences) -> Markup:
    """A row's response rates, then and now, on a scale from 0 to 100."""
    now, then = row.response_now, row.response_then
    return strip(Strip(now.value, now.low, now.high, then.value), table.total.response_now.value, 0, 100)


def of_share(row: CoverageRow, total: CoverageRow) -> Markup:
    """A group's share of customers who were asked, against the limits of chance."""
    outside = row.place in {"below", "above"}
    drawn = Strip(row.share, row.share, row.share, None, row.limit_low, row.limit_high, outside)
    return strip(drawn, total.share, 0, 100)


def unusual(rows: Iterable[CoverageRow]) -> list[CoverageRow]:
    """The groups outside their band."""
    return [row for row in rows if row.place in {"below", "above"}]


def _score_cells(score: Score) -> tuple[str, str, str]:
    if score.suppressed:
        return WHY_HIDDEN.get(score.suppressed, "not shown"), words.DASH, words.count(score.n)
    if score.value is None:
        return "no answers", words.DASH, words.count(score.n or 0)
    return sentences.value(score), sentences.bounds(score), words.count(score.n)


def _rate_cell(point: TrendPoint) -> str:
    rate = point.response_rate
    more = " (answers may still come)" if point.response_immature and rate.value is not None else ""
    return sentences.share(rate) + more


def _share(part: int, whole: int) -> str:
    return f"{words.figure(100 * part / whole, whole)} %" if whole else words.DASH


def _spoken(rows: Sequence[Sequence[str]]) -> str:
    return "; ".join(": ".join((row[0], ", ".join(row[1:]))) for row in rows) + "."
