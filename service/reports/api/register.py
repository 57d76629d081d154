"""All views of the API on one blueprint under /v1.

Views parse, call `query` or `figures`, and serialise; what may be shown has been decided before it gets here.
"""

from sqlalchemy.engine import Engine

from service.auth import Guard
from service.clock import Clock
from service.reports.api import changes, downloads, feeds, lists, marks, people, timeline
from service.reports.api import figures as figures_api
from service.reports.api.routes import Routes
from service.settings import Settings
from service.web import Blueprint


def blueprint(settings: Settings, engine: Engine, guard: Guard, clock: Clock) -> Blueprint:
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
