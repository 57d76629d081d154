"""The question on screen as a file. What the page hides is hidden in the file.

Rows (CSV, JSON lines, XLSX, Parquet) are for supervisors and logged; figures are for everybody. Links to API calls with
the same parameters and explicit days.
"""

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import flask
from werkzeug.wrappers import Response

from service.auth import log_access
from service.db import writing
from service.errors import NotFound
from service.reports.dashboard import words
from service.reports.dashboard.explore import and_by_of, by_of
from service.reports.dashboard.names import full_name, group_name, row_name
from service.reports.dashboard.page_context import PageContext
from service.reports.dashboard.question import PageQuery
from service.reports.figures import csv_table, figures
from service.reports.figures.shapes import Breakdown, Rate, Score
from service.reports.figures.then_now import Differences
from service.reports.roles import READERS_OF_ANSWERS
from service.reports.rows import as_xlsx, export
from service.reports.rows.as_csv import BOM, Form
from service.reports.rows.formats import CONTENT_TYPES, NEEDS, writer_of
from service.reports.thresholds import thresholds
from service.web import in_a_slot, reads
from service.web.replica_lag import read, tell_behind

NAMES = {"csv": "CSV", "jsonl": "JSON lines", "xlsx": "Excel", "parquet": "Parquet"}
OF_FIGURES = ("csv", "xlsx")
ENDED = "ended_at"
NOT_TOLD = (None,) * 7
"""In place of conversations and rates, in the line of all together."""

COLUMNS: Mapping[str, str] = {
    "type": "csat or nps",
    "by": "The dimension; none: all together",
    "group": "The group; empty: all together, or conversations without one",
    "value": "CSAT in per cent, NPS from -100 to 100; none: no answers, or see suppressed",
    "low": "Lower bound of its interval",
    "high": "Upper bound of its interval",
    "confidence": "Of every interval: 0.95",
    "method": "adjusted_wald or wilson",
    "n": "Answers with a score",
    "mean": "Mean of the scores, a second figure",
    "low_base": "Few answers: read with caution",
    "suppressed": "Why there is no value",
    "since": "Start of the period; empty: from the beginning",
    "until": "End of the period, exclusive; empty: up to now",
    "ended": "Conversations of the group that ended, asked or not; repeated in the lines of both card types, so add "
    "up only one",
    "delivered": "Customers asked with such a card",
    "answered": "How many of them have answered",
    "response_rate": "100 * answered / delivered: per cent",
    "response_low": "Lower bound of its interval",
    "response_high": "Upper bound of its interval",
    "name": "The group's name",
}
"""Each column of a file of figures, in words."""
MOMENTS = {"since", "until"}
Line = Sequence[Any]
"""One group's values; a moment is a moment and a number a number, whatever the file makes of them."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a page offers to download, and in words what is in it."""

    links: tuple[tuple[str, str], ...]
    says: str


def add(pages: flask.Blueprint, context: PageContext) -> None:
    """Register the addresses."""
    everybody, supervisors = context.door.signed_in(), context.door.signed_in(*READERS_OF_ANSWERS)

    @pages.get("/download/rows.<kind>")
    @supervisors
    def rows(kind: str) -> Response:
        return _rows(context, kind)

    @pages.get("/download/figures.<kind>")
    @everybody
    @reads
    def figures_file(kind: str) -> Response:
        return _figures(context, kind)

    pages.add_app_template_global(lambda question, own=(): offer(context, question, own), "offered")


def offer(context: PageContext, question: PageQuery, own: Sequence[tuple[str, str | None]]) -> Offer:
    """Return the links under a page; `own` are (name, value) pairs that the page adds to its question."""
    query = question.written_out(*own)
    links = [] if own else [
        (flask.url_for("dashboard.figures_file", kind=kind) + f"?{query}", f"Figures, {NAMES[kind]}")
        for kind in OF_FIGURES
    ]  # fmt: skip
    if context.reader.role in READERS_OF_ANSWERS:
        clock = question.given("date_field")
        per_row = query if own else question.written_out(("date_field", clock or ENDED))
        known = [kind for kind in NAMES if kind not in NEEDS or importlib.util.find_spec(NEEDS[kind])]
        links += [
            (flask.url_for("dashboard.rows", kind=kind) + f"?{per_row}", f"Rows, {NAMES[kind]}") for kind in known
        ]
        everybody = ", asked or not" if not clock or clock == ENDED else ""
        what = "one answer" if own else f"one conversation, by {words.words(clock or ENDED)}{everybody}"
        beside = "" if own or clock else " Scores on the page count by the day they were given."
        return Offer(tuple(links), f"A row is {what}.{beside} Downloading rows is written to the access log.")
    return Offer(tuple(links), "Your key reads figures, not single answers.")


def _rows(context: PageContext, kind: str) -> Response:
    if kind not in CONTENT_TYPES:
        raise NotFound("no_such_page", f"There is no such download; there are {', '.join(NAMES.values())}.")
    question = context.asked(("by", "and", "cursor", "all", "order", "marked", "show", "a", "b"))
    writer_of(kind)
    return in_a_slot(lambda: _made(context, kind, question, context.clock()))


def _made(context: PageContext, kind: str, question: PageQuery, now: datetime) -> flask.Response:
    with writing(context.engine) as connection:
        detail = {"format": kind, "filter": question.filter.logged()}
        log_access(connection, context.reader.actor, "export.dashboard", detail, now)
    # people open it in a spreadsheet, which takes UTF-8 for something else without the mark
    source = export.source_of(context.engine, question.filter)
    tell_behind(source.behind)
    rows = export.export_of(source, context.settings, context.reader, question.filter, now)
    pieces = rows.stream(kind, Form(bom=True))
    return _file(pieces, CONTENT_TYPES[kind], f"feedback {question.dates}.{kind}")


def _figures(context: PageContext, kind: str) -> Response:
    if kind not in OF_FIGURES:
        raise NotFound("no_such_page", "Figures are downloaded as CSV or Excel.")
    question, now = context.asked(("by", "and", "show", "a", "b")), context.clock()
    by = by_of(question, context.reader)
    also = and_by_of(question, by)
    asked = partial(context.query, wanted=question.filter, now=now)
    if also is None:
        found = read(context.engine, lambda connection: figures.breakdown(asked(connection), by)).items
        used = [one for one in found if _is_used(one)] or found
        lines, split = [line for one in used for line in _of_breakdown(one)], by
    else:
        both = read(context.engine, lambda connection: figures.differences(asked(connection), by, and_by=also)).items
        lines, split = [line for one in both for line in _crossed(one)], f"{by} and {also}"
    if kind == "csv":
        written = iter((BOM, csv_table.written([tuple(COLUMNS), *lines])))
    else:
        heads = [(as_xlsx.head(name, "time" if name in MOMENTS else "text"), says) for name, says in COLUMNS.items()]
        # made before the answer begins, so that one that cannot be made is refused
        written = iter([b"".join(as_xlsx.table(heads, lines, thresholds(context.settings)))])
    return _file(written, CONTENT_TYPES[kind], f"figures by {split} {question.dates}.{kind}")


def _is_used(one: Breakdown) -> bool:
    """Whether such cards were sent or answered: half of a file about the others would only be added up."""
    said = (one.total.n, one.total.suppressed not in {None, "waits"}, *(row.delivered for row in one.rows))
    return any(said)


def _of_breakdown(one: Breakdown) -> Iterator[Line]:
    yield [*_score_cells(one.total, "", ""), *NOT_TOLD]
    for row in one.rows:
        group = row_name(row) if row.rest else "" if row.key is None else str(row.key)
        rates = _rate_cells(row.response_rate)
        yield [*_score_cells(row.score, one.by, group), row.ended, row.delivered, *rates, row.name or ""]


def _crossed(table: Differences) -> Iterator[Line]:
    """Groups of two dimensions, without the number of ended conversations."""
    yield [*_score_cells(table.total.now, "", ""), *NOT_TOLD]
    for row in table.rows:
        keys = row_name(row) if row.rest else f"{group_name(row.key)} \u00b7 {group_name(row.and_key)}"
        rates = (row.response_now.n, *_rate_cells(row.response_now))
        cells = _score_cells(row.now, f"{table.by} and {table.and_by}", keys)
        yield [*cells, None, *rates, full_name(row, table)]


def _score_cells(score: Score, by: str, group: str) -> Line:
    found = (score.value, score.low, score.high, score.confidence, score.method, score.n, score.mean)
    return [score.type, by, group, *found, score.low_base, score.suppressed, score.since, score.until]


def _rate_cells(rate: Rate) -> Line:
    return [rate.successes, rate.value, rate.low, rate.high]


def _file(pieces: Iterator[bytes], content_type: str, name: str) -> flask.Response:
    response = flask.Response(pieces, content_type=content_type)
    response.headers.set("Content-Disposition", "attachment", filename=name.replace(" ", "-"))
    return response
