"""The API of results: in, settings, engine, guard and clock; out, one blueprint under /v1.

    lists.py     results, requests, notes, access log: supervisors and admins
    changes.py   the feed of changes that a mirror follows: supervisors and admins
    figures.py   summary, trend, breakdown, compare, coverage: analysts too
    feeds.py         saved questions with an address of their own
    marks.py         done, and whose it is: supervisors and admins
    timeline.py      notes on the time line: all read them, supervisors write
    people.py        what agents and teams are called: supervisors and admins
    downloads.py     CSV and its siblings: supervisors and admins

Views read, ask `query` or `figures`, and dump; what may be shown is decided before it gets here.
"""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy.engine import Engine

from service.auth import Guard
from service.reports.api import changes, downloads, feeds, lists, marks, people, timeline
from service.reports.api import figures as figures_api
from service.reports.api.routes import Routes
from service.settings import Settings
from service.web import Blueprint


def blueprint(settings: Settings, engine: Engine, guard: Guard, clock: Callable[[], datetime]) -> Blueprint:
    """Return the routes, to be registered with the Api that `web.setup` returned."""
    pages = Blueprint("reports", __name__, url_prefix="/v1", description="Results and figures, for supervisors")
    routes = Routes(pages, settings, engine, guard, clock)
    lists.add(routes)
    changes.add(routes)
    figures_api.add(routes)
    feeds.add(routes)
    marks.add(routes)
    timeline.add(routes)
    people.add(routes)
    downloads.add(routes)
    return pages
