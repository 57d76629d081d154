"""Downloads: in, the question on screen; out, the same question as a file. What the page hides is hidden in the file.

Rows (CSV, JSON lines, XLSX, Parquet) are for supervisors and are written to the access log; figures are for everybody.
The address is that of an API call with the same parameters, its days written out.
"""

import csv
import importlib.util
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import flask
from werkzeug.wrappers import Response

from service.auth import log_access
from service.db import writing
from service.errors import NotFound
from service.reports.dashboard.explore import and_by_of, by_of
from service.reports.dashboard.names import full_name, group_name, row_name
from service.reports.dashboard.place import Place
from service.reports.dashboard.question import PageQuery
from service.reports.figures import figures
from service.reports.figures.figures import Rate, Score
from service.reports.roles import READERS_OF_ANSWERS
from service.reports.rows import export
from service.reports.rows.as_csv import Form, guarded
from service.reports.rows.formats import CONTENT_TYPES, NEEDS, writer_of
from service.web import in_a_slot, reads
from service.web.behind import read, tell_behind

NAMES = {"csv": "CSV", "jsonl": "JSON lines", "xlsx": "Excel", "parquet": "Parquet"}
FIGURES_HEAD = (
    *("type", "by", "group", "value", "low", "high", "confidence", "method", "n", "mean", "low_base", "suppressed"),
    *("since", "until", "ended", "delivered", "answered", "response_rate", "response_low", "response_high", "name"),
)


@dataclass(frozen=True, slots=True)
class Offer:
    """What a page offers to download, and in words what is in it."""

    links: tuple[tuple[str, str], ...]
    says: str


def add(pages: flask.Blueprint, place: Place) -> None:
    """Register the addresses."""
    everybody, supervisors = place.door.signed_in(), place.door.signed_in(*READERS_OF_ANSWERS)

    @pages.get("/download/rows.<kind>")
    @supervisors
    def rows(kind: str) -> Response:
        return _rows(place, kind)

    @pages.get("/download/figures.csv")
    @everybody
    @reads
    def figures_file() -> Response:
        return _figures(place)

    pages.add_app_template_global(lambda question, own=(): offer(place, question, own), "offered")


def offer(place: Place, question: PageQuery, own: Sequence[tuple[str, str | None]]) -> Offer:
    """Return the links under a page; `own` are (name, value) pairs that the page adds to its question."""
    query = question.written_out(*own)
    links = [(flask.url_for("dashboard.figures_file") + f"?{query}", "Figures, CSV")] if not own else []
    if place.reader.role in READERS_OF_ANSWERS:
        per_row = query if own else question.written_out(("date_field", question.given("date_field") or "ended_at"))
        known = [kind for kind in NAMES if kind not in NEEDS or importlib.util.find_spec(NEEDS[kind])]
        links += [
            (flask.url_for("dashboard.rows", kind=kind) + f"?{per_row}", f"Rows, {NAMES[kind]}") for kind in known
        ]
        what = "one answer" if own else "one conversation that ended in these days, asked or not"
        return Offer(tuple(links), f"A row is {what}. Downloading rows is written to the access log.")
    return Offer(tuple(links), "Your key reads figures, not single answers.")


def _rows(place: Place, kind: str) -> Response:
    if kind not in CONTENT_TYPES:
        raise NotFound("no_such_page", f"There is no such download; there are {', '.join(NAMES.values())}.")
    question = place.asked(("by", "and", "cursor", "all", "order", "marked", "show", "a", "b"))
    writer_of(kind)
    return in_a_slot(lambda: _made(place, kind, question, place.clock()))


def _made(place: Place, kind: str, question: PageQuery, now: datetime) -> flask.Response:
    with writing(place.engine) as connection:
        detail = {"format": kind, "filter": question.filter.logged()}
        log_access(connection, place.reader.actor, "export.dashboard", detail, now)
    # people open it in a spreadsheet, which takes UTF-8 for something else without the mark
    source = export.source_of(place.engine, question.filter)
    tell_behind(source.behind)
    pieces = export.stream(source, place.settings, place.reader, question.filter, now, kind, Form(bom=True))
    return _file(pieces, CONTENT_TYPES[kind], f"feedback {question.first} to {question.last}.{kind}")


def _figures(place: Place) -> Response:
    question, now = place.asked(("by", "and", "show", "a", "b")), place.clock()
    by = by_of(question)
    also = and_by_of(question, by)
    if also is not None:
        return _crossed(place, question, now, by, also)
    asked = (place.settings, place.reader, question.filter, now, by)
    found = read(place.engine, lambda connection: figures.breakdown(connection, *asked)).items
    lines = [[*FIGURES_HEAD]]
    for one in found:
        lines.append([*_score_cells(one.total, "", ""), "", "", "", "", "", "", ""])
        for row in one.rows:
            group = guarded(row_name(row)) if row.rest else "" if row.key is None else guarded(str(row.key))
            lines.append(
                [
                    *_score_cells(row.score, by, group),
                    _cell(row.ended),
                    _cell(row.delivered),
                    *_rate_cells(row.response_rate),
                    guarded(row.name or ""),
                ]
            )
    return _table(lines, f"figures by {by} {question.first} to {question.last}.csv")


def _crossed(place: Place, question: PageQuery, now: datetime, by: str, also: str) -> Response:
    """Groups of two dimensions; how many conversations ended is not told of them."""
    asked = (place.settings, place.reader, question.filter, now, by)
    found = read(place.engine, lambda connection: figures.differences(connection, *asked, and_by=also)).items
    lines = [[*FIGURES_HEAD]]
    for table in found:
        lines.append([*_score_cells(table.total.now, "", ""), "", "", "", "", "", "", ""])
        for row in table.rows:
            keys = row_name(row) if row.rest else f"{group_name(row.key)} \u00b7 {group_name(row.and_key)}"
            cells = _score_cells(row.now, f"{by} and {also}", guarded(keys))
            rates = (_cell(row.response_now.n), *_rate_cells(row.response_now))
            lines.append([*cells, "", *rates, guarded(full_name(row, table))])
    return _table(lines, f"figures by {by} and {also} {question.first} to {question.last}.csv")


def _table(lines: list[list[str]], name: str) -> flask.Response:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    return _file(iter([b"\xef\xbb\xbf" + text.getvalue().encode()]), CONTENT_TYPES["csv"], name)


def _score_cells(score: Score, by: str, group: str) -> list[str]:
    found = (score.value, score.low, score.high, score.confidence, score.method, score.n, score.mean)
    marks = ("true" if score.low_base else "false", score.suppressed)
    period = (each.isoformat() if each else "" for each in (score.since, score.until))
    return [score.type, by, group, *(_cell(each) for each in (*found, *marks)), *period]


def _rate_cells(rate: Rate) -> list[str]:
    return [_cell(each) for each in (rate.successes, rate.value, rate.low, rate.high)]


def _cell(value: object) -> str:
    """Unrounded to four places, empty for none."""
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)


def _file(pieces: Iterator[bytes], content_type: str, name: str) -> flask.Response:
    response = flask.Response(pieces, content_type=content_type)
    response.headers.set("Content-Disposition", "attachment", filename=name.replace(" ", "-"))
    return response
