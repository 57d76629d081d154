"""What every page leans on: settings, engine, clock and door; who reads, what was asked, when, and the links.

Passed as an argument, so no page keeps a global.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import flask
from sqlalchemy.engine import Connection, Engine
from werkzeug.datastructures import MultiDict

from service.auth import Reader
from service.clock import Clock
from service.db import reading
from service.reports.dashboard.door import Door
from service.reports.dashboard.question import DEFAULT_DAYS, WITHOUT, PageQuery, asked
from service.reports.dimensions import FILTERED
from service.reports.figures.labels import of_named
from service.reports.filters import ANSWERED, FigureFilterSchema, Filter
from service.reports.report_query import ReportQuery
from service.reports.roles import EVERYBODY, READERS_OF_ANSWERS
from service.settings import Settings
from service.web.parameters import made

PAGES = (
    ("this_week", "This week", EVERYBODY),
    ("explore", "Explore", EVERYBODY),
    ("comments", "Comments", READERS_OF_ANSWERS),
    ("coverage", "Who was asked", EVERYBODY),
    ("operations", "Operations", EVERYBODY),
    ("report", "Report", EVERYBODY),
)


@dataclass(frozen=True, slots=True)
class PageContext:
    """The collaborators of every page."""

    settings: Settings
    engine: Engine
    clock: Clock
    door: Door

    @property
    def reader(self) -> Reader:
        """Who is signed in; the door has seen to it."""
        found: Reader = flask.g.reader
        return found

    def query(self, connection: Connection, wanted: Filter, now: datetime) -> ReportQuery:
        """Return the reader's question, at the page's moment."""
        return ReportQuery(connection, self.settings, self.reader, wanted, now)

    def asked(
        self,
        own: Sequence[str] = (),
        *,
        with_today: bool = False,
        days: int = DEFAULT_DAYS,
        given: MultiDict[str, str] | None = None,
    ) -> PageQuery:
        """Parse the query string, or what is `given` instead. Raises Invalid or NotAllowed."""
        args, now = flask.request.args if given is None else given, self.clock()
        found = asked(args, self.reader, self.settings, now, own, with_today=with_today, days=days)
        flask.g.asked = found = replace(found, called=self._called(found, now))
        return found

    def _called(self, question: PageQuery, now: datetime) -> Mapping[tuple[str, str], str]:
        """What the groups are called that a question names."""
        people = {name for name, each in FILTERED.items() if each.people}
        named = [(name, value) for name, value in question.pairs if name in people and value != WITHOUT]
        if not named:
            return {}
        with reading(self.engine) as connection:
            return of_named(self.query(connection, question.filter, now), named)


def shared_query() -> str:
    """Return the part of the query that other pages understand too, with its question mark."""
    question: PageQuery | None = flask.g.get("asked")
    if question is None:
        return ""
    of_rows = question.filter.date_field == ANSWERED  # a clock that figures do not have
    shared = made(FigureFilterSchema).fields.keys() - ({"date_field"} if of_rows else set())
    unshared = [(name, None) for name, _ in question.pairs if name not in shared]
    query = question.with_(*unshared)
    return f"?{query}" if query else ""
