"""The Flask application, put together from all chapters. Wiring only."""

import flask
from sqlalchemy.engine import Engine

from service import replica, web
from service.auth import Guard
from service.clock import Clock, utc_now
from service.encrypting.in_force import engine_of
from service.intake import routes as intake
from service.intake.definition.load import load_definitions
from service.intake.definition.proofs import is_slow
from service.intake.delivery.inbound import DELIVERIES
from service.intake.fast_path import with_fast_path
from service.intake.reception import Reception
from service.metrics import health, prometheus
from service.privacy import register as customers
from service.reports import dashboard
from service.reports.api import register as reports
from service.results import x_activity, x_webhook
from service.results.page import routes as page
from service.settings import Settings
from service.web import slow_routes
from service.web.docs.spreadsheets import register_spreadsheets
from service.web.well_known import register_well_known


def create_app(settings: Settings, engine: Engine | None = None, clock: Clock = utc_now) -> flask.Flask:
    """Build the application. Opens the engine in the process that calls it, never before a fork."""
    engine = engine or engine_of(settings)
    replica.attach(engine, settings.database)
    app = flask.Flask(__name__, static_folder=None)
    register_well_known(app, settings, clock)
    register_spreadsheets(app, settings.service.public_url)
    guard = Guard(engine, clock, settings.web.requests_per_minute)
    definitions = load_definitions(settings.sources, settings.accounts)
    reception = Reception(settings, engine, definitions, clock)
    app.wsgi_app = with_fast_path(reception, app.wsgi_app)  # type: ignore[method-assign,assignment]  # as Flask's own documentation does
    slow_routes.tell(app, (f"{DELIVERIES}{name}" for name, each in definitions.items() if is_slow(each.verifiers)))
    api = web.setup(app, settings.web)
    api.register_blueprint(reports.blueprint(settings, engine, guard, clock))
    api.register_blueprint(customers.blueprint(settings, engine, guard, clock))
    for blueprint in (
        intake.blueprint(reception),
        x_webhook.blueprint(settings, engine, clock),
        x_activity.blueprint(settings, engine, clock),
        page.blueprint(settings, engine, clock),
        dashboard.blueprint(settings, engine, clock),
        health.blueprint(settings, engine, guard, clock),
        prometheus.blueprint(settings, engine, guard, clock),
    ):
        app.register_blueprint(blueprint)
    return app
