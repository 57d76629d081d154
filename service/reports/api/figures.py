"""Figures over the API, with an ETag; analysts may read them too."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import flask
from marshmallow import Schema

from service.clock import zone_names
from service.errors import Invalid
from service.reports.api import schemas
from service.reports.api.figure_schemas import DefinitionListSchema, schema_of
from service.reports.api.routes import Routes, conditional
from service.reports.completeness import Completeness
from service.reports.dimensions import BY, NAMED
from service.reports.figures import figures, shapes
from service.reports.figures.batch import WhichFigures, several
from service.reports.figures.then_now import DifferenceTables
from service.reports.filters import FigureFilterSchema, Filter
from service.reports.query_values import is_whole
from service.reports.report_query import ReportQuery
from service.reports.roles import EVERYBODY
from service.reports.statistics.definitions import DEFINITION_VERSION, define
from service.reports.thresholds import thresholds
from service.web.parameters import StrictSchema
from service.web.replica_lag import read

Asked = Mapping[str, Any]
Figure = Callable[[ReportQuery], Any]


def add(routes: Routes) -> None:
    """Register the views."""
    add_one = partial(_add, routes)
    plain = FigureFilterSchema
    add_one("summary", plain, shapes.Summary, "Get CSAT, NPS and response rates.", lambda _: figures.summary)
    add_one(
        "funnel", plain, shapes.Funnel, "Get the funnel, from ended conversations to answers.", lambda _: figures.funnel
    )
    add_one(
        "completeness", plain, Completeness, "Get the time up to which answers are complete.",
        lambda _: figures.completeness,
    )  # fmt: skip
    add_one("trend", schemas.TrendSchema, shapes.Trends, "Get figures by day, week or month.", _trend)
    add_one(
        "breakdown", schemas.BreakdownSchema, shapes.Breakdowns, f"Get figures by {', '.join(BY[:-1])} or {BY[-1]}.",
        lambda asked: partial(figures.breakdown, by=asked["by"]),
    )  # fmt: skip
    add_one(
        "coverage", schemas.CoverageAskSchema, shapes.Coverage,
        "Get the share of ended conversations whose customers were asked, by agent, team or way.",
        lambda asked: partial(figures.coverage, by=asked["by"]),
    )  # fmt: skip
    add_one(
        "several_figures", schemas.SeveralAskSchema, shapes.Several,
        "Get several figures in one call, all read from the same state of the database.", _several, path="/figures",
    )  # fmt: skip
    add_one(
        "compare", schemas.CompareSchema, shapes.Compared,
        "Compare two periods (other_since, other_until) or two groups (by, a, b): is the difference more than chance?",
        partial(_compare, routes),
    )  # fmt: skip
    add_one(
        "differences", schemas.DifferencesSchema, DifferenceTables,
        "Compare every group with an earlier period: did it get better or worse?", partial(_differences, routes),
    )  # fmt: skip
    _add_definitions(routes)


def _add(
    routes: Routes,
    name: str,
    asks: type[Schema],
    shape: Any,
    says: str,
    figure_of: Callable[[Asked], Figure],
    *,
    path: str = "",
) -> None:
    """Register the view of a figure; `figure_of` reads what it takes beside the filter."""
    tells = schema_of(shape)

    def view(asked: dict[str, Any]) -> flask.Response:
        figure, wanted = figure_of(asked), routes.filter(asked)
        return conditional(tells, read(routes.engine, lambda connection: figure(routes.query(connection, wanted))))

    view.__name__ = name
    routes.get(path or f"/{name}", asks, tells, EVERYBODY, says)(view)


def _trend(asked: Asked) -> Figure:
    return partial(figures.trend, period=asked["period"], zone=_zone(asked.get("zone")), by=asked.get("by"))


def _several(asked: Asked) -> Figure:
    wanted = WhichFigures(
        names=tuple(asked["figure"]),
        by=tuple(dict.fromkeys(asked["by"])),
        trend_by=asked.get("trend_by"),
        coverage_by=asked["coverage_by"],
        period=asked["period"],
        zone=_zone(asked.get("zone")),
    )
    if ("breakdown" in wanted.names) != bool(wanted.by):
        raise Invalid("invalid_parameter", "A breakdown needs 'by'; other figures do not take it.")
    return partial(several, wanted=wanted)


def _compare(routes: Routes, asked: Asked) -> Figure:
    one, other = _sides(routes, asked)
    return lambda query: figures.compare(query.filtered(one), other)


def _differences(routes: Routes, asked: Asked) -> Figure:
    return partial(figures.differences, by=asked["by"], other=_other_period(routes, asked), and_by=asked.get("and_by"))


def _add_definitions(routes: Routes) -> None:
    @routes.get("/definitions", StrictSchema, DefinitionListSchema, EVERYBODY, "Get the definition of every figure.")
    def definitions(_asked: dict[str, Any]) -> flask.Response:
        table = define(thresholds(routes.settings))
        found = {"version": DEFINITION_VERSION, "definitions": [asdict(each) for each in table.values()]}
        return conditional(DefinitionListSchema, found)


def _other_period(routes: Routes, asked: Asked) -> Filter | None:
    """The other period, if one is given. Raises Invalid if only half of it is."""
    moments = {"since": asked.get("other_since"), "until": asked.get("other_until")}
    if None in moments.values():
        if any(moments.values()):
            raise Invalid("two_sides_needed", "Give both other_since and other_until, or neither.")
        return None
    return routes.filter(moments)


def _sides(routes: Routes, asked: Asked) -> tuple[Filter, Filter]:
    """Return both sides: another period of the same, or two groups of the same period."""
    wanted = routes.filter(asked)
    periods = "other_since" in asked or "other_until" in asked
    groups = [name for name in ("by", "a", "b") if name in asked]
    if periods == bool(groups) or (groups and len(groups) < 3):  # noqa: PLR2004 - by, a and b
        raise Invalid(
            "two_sides_needed", "Compare two periods (other_since, other_until) or two groups (by, a and b), not both."
        )
    if periods:
        moments = {"since": asked.get("other_since"), "until": asked.get("other_until")}
        other = routes.filter({name: value for name, value in moments.items() if value})
        return wanted, replace(wanted, since=other.since, until=other.until)
    return _group(routes, wanted, asked["by"], asked["a"]), _group(routes, wanted, asked["by"], asked["b"])


def _group(routes: Routes, wanted: Filter, by: str, value: str) -> Filter:
    """One side, with its name read as the filter would read it."""
    if NAMED[by].whole_number and not is_whole(value):
        raise Invalid("invalid_parameter", f"With by={by}, 'a' and 'b' must be whole numbers.")
    one = routes.filter({str(NAMED[by].parameter): [int(value) if NAMED[by].whole_number else value]})
    return wanted.within(by, *one.of(by))


def _zone(name: str | None) -> ZoneInfo | None:
    if name is None:
        return None
    if name not in zone_names():
        raise Invalid("unknown_zone", f"There is no time zone '{name}'; write an IANA name like Europe/Berlin.")
    return ZoneInfo(name)
