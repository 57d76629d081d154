"""Figures over the API, with an ETag; analysts may read them too."""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any
from zoneinfo import ZoneInfo

import flask
from marshmallow import Schema

from service.clock import zone_names
from service.errors import Invalid
from service.reports.api import figure_schemas as told
from service.reports.api import schemas
from service.reports.api.routes import Routes, conditional
from service.reports.dimensions import BY, NAMED
from service.reports.figures import figures
from service.reports.figures.batch import WhichFigures, several
from service.reports.filters import FigureFilterSchema, Filter
from service.reports.query_values import is_whole
from service.reports.report_query import ReportQuery
from service.reports.roles import EVERYBODY
from service.reports.statistics.definitions import DEFINITION_VERSION, define
from service.reports.thresholds import thresholds
from service.web.parameters import StrictSchema
from service.web.replica_lag import read

Ask = Callable[[ReportQuery], Any]


def add(routes: Routes) -> None:
    """Register the views."""
    _add_plain(routes)
    _add_split(routes)
    _add_several(routes)
    _add_compare(routes)
    _add_differences(routes)
    _add_definitions(routes)


def _answer(routes: Routes, wanted: Filter, ask: Ask, schema: type[Schema]) -> flask.Response:
    return conditional(schema, read(routes.engine, lambda connection: ask(routes.query(connection, wanted))))


def _add_plain(routes: Routes) -> None:
    @routes.get("/summary", FigureFilterSchema, told.SummarySchema, EVERYBODY, "Get CSAT, NPS and response rates.")
    def summary(asked: dict[str, Any]) -> flask.Response:
        return _answer(routes, routes.filter(asked), figures.summary, told.SummarySchema)

    @routes.get(
        "/funnel",
        FigureFilterSchema,
        told.FunnelSchema,
        EVERYBODY,
        "Get the funnel, from ended conversations to answers.",
    )
    def funnel(asked: dict[str, Any]) -> flask.Response:
        return _answer(routes, routes.filter(asked), figures.funnel, told.FunnelSchema)

    @routes.get(
        "/completeness",
        FigureFilterSchema,
        told.CompletenessSchema,
        EVERYBODY,
        "Get the time up to which answers are complete.",
    )
    def completeness(asked: dict[str, Any]) -> flask.Response:
        return _answer(routes, routes.filter(asked), figures.completeness, told.CompletenessSchema)


def _add_split(routes: Routes) -> None:
    @routes.get("/trend", schemas.TrendSchema, told.TrendsSchema, EVERYBODY, "Get figures by day, week or month.")
    def trend(asked: dict[str, Any]) -> flask.Response:
        how = (asked["period"], _zone(asked.get("zone")), asked.get("by"))
        wanted = routes.filter(asked, "period", "zone", "by")
        return _answer(routes, wanted, lambda query: figures.trend(query, *how), told.TrendsSchema)

    @routes.get(
        "/breakdown",
        schemas.BreakdownSchema,
        told.BreakdownsSchema,
        EVERYBODY,
        f"Get figures by {', '.join(BY[:-1])} or {BY[-1]}.",
    )
    def breakdown(asked: dict[str, Any]) -> flask.Response:
        wanted = routes.filter(asked, "by")
        return _answer(routes, wanted, lambda query: figures.breakdown(query, asked["by"]), told.BreakdownsSchema)

    @routes.get(
        "/coverage",
        schemas.CoverageAskSchema,
        told.CoverageSchema,
        EVERYBODY,
        "Get the share of ended conversations whose customers were asked, by agent, team or way.",
    )
    def coverage(asked: dict[str, Any]) -> flask.Response:
        wanted = routes.filter(asked, "by")
        return _answer(routes, wanted, lambda query: figures.coverage(query, asked["by"]), told.CoverageSchema)


def _add_several(routes: Routes) -> None:
    @routes.get(
        "/figures",
        schemas.SeveralAskSchema,
        told.SeveralSchema,
        EVERYBODY,
        "Get several figures in one call, all read from the same state of the database.",
    )
    def several_figures(asked: dict[str, Any]) -> flask.Response:
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
        filter_ = routes.filter(asked, "figure", "by", "trend_by", "coverage_by", "period", "zone")
        return _answer(routes, filter_, lambda query: several(query, wanted), told.SeveralSchema)


def _add_compare(routes: Routes) -> None:
    @routes.get(
        "/compare",
        schemas.CompareSchema,
        told.ComparedSchema,
        EVERYBODY,
        "Compare two periods (other_since, other_until) or two groups (by, a, b): is the difference more than chance?",
    )
    def compare(asked: dict[str, Any]) -> flask.Response:
        wanted = routes.filter(asked, "other_since", "other_until", "by", "a", "b")
        first, second = _sides(routes, wanted, asked)
        return _answer(routes, first, lambda query: figures.compare(query, second), told.ComparedSchema)


def _add_differences(routes: Routes) -> None:
    @routes.get(
        "/differences",
        schemas.DifferencesSchema,
        told.DifferencesSchema,
        EVERYBODY,
        "Compare every group with an earlier period: did it get better or worse?",
    )
    def differences(asked: dict[str, Any]) -> flask.Response:
        how = (asked["by"], _other_period(routes, asked), asked.get("and_by"))
        wanted = routes.filter(asked, "by", "and_by", "other_since", "other_until")
        return _answer(routes, wanted, lambda query: figures.differences(query, *how), told.DifferencesSchema)


def _other_period(routes: Routes, asked: dict[str, Any]) -> Filter | None:
    """The other period, if one is given. Raises Invalid if only half of it is."""
    moments = {"since": asked.get("other_since"), "until": asked.get("other_until")}
    if None in moments.values():
        if any(moments.values()):
            raise Invalid("two_sides_needed", "Give both other_since and other_until, or neither.")
        return None
    return routes.filter(moments)


def _add_definitions(routes: Routes) -> None:
    @routes.get(
        "/definitions", StrictSchema, told.DefinitionListSchema, EVERYBODY, "Get the definition of every figure."
    )
    def definitions(_asked: dict[str, Any]) -> flask.Response:
        table = define(thresholds(routes.settings))
        found = {"version": DEFINITION_VERSION, "definitions": [asdict(each) for each in table.values()]}
        return conditional(told.DefinitionListSchema, found)


def _sides(routes: Routes, wanted: Filter, asked: dict[str, Any]) -> tuple[Filter, Filter]:
    """Return both sides: another period of the same, or two groups of the same period."""
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
