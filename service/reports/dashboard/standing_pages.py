"""How it stands: in, nothing but who asks; out, the X accounts with their holds, and how every figure is counted."""

import flask

from service.db import reading
from service.health import WORKER_SILENT
from service.reports.dashboard.place import Place
from service.reports.dashboard.standing import last_worker, standings
from service.reports.statistics.definitions import define
from service.reports.thresholds import thresholds


def add(pages: flask.Blueprint, place: Place) -> None:
    """Register the pages."""
    everybody = place.door.signed_in()

    @pages.get("/accounts")
    @everybody
    def accounts() -> str:
        known = place.settings.accounts.values()
        mine = [(each.name, each.screen_name) for each in known if place.reader.may_see(each.name)]
        with reading(place.engine) as connection:
            lines = standings(connection, mine, place.clock())
            worker = last_worker(connection)
        silent = worker is None or worker < place.clock() - WORKER_SILENT
        return flask.render_template("dashboard/accounts.html", lines=lines, worker=worker, silent=silent)

    @pages.get("/definitions")
    @everybody
    def definitions() -> str:
        known = define(thresholds(place.settings))
        return flask.render_template("dashboard/definitions.html", definitions=known.values())
