"""What every route shares: one error shape, strict parameters and the usual headers, added to a Flask application.

    problems.py        every refusal and fault as a problem document
    parameters.py      query strings and bodies, strictly      validation_errors.py  their mistakes as one refusal
    headers.py         security headers, request ids           bounds.py             bounds of a request
    read_slots.py      reading never takes intake's threads    proxy_headers.py      who the client is
    deferred.py        an answer that waits for a commit       slow_routes.py        answers that wait for others
    representation.py  ETags, compression, Accept              cors.py               pages of other origins
    idempotency.py     `Idempotency-Key`                       replica_lag.py        how far a replica lags
    response_times.py  how long answers took                   statuses.py           names of HTTP statuses
    root.py            what the bare address shows             well_known.py         security.txt, robots.txt
    docs/              the API's description, and pages about it

Knows no chapter of the story; chapters build their blueprints from `Blueprint` here.
"""

import flask

from service.settings import Web
from service.web.bounds import register_bounds, takes
from service.web.cors import register_cors
from service.web.docs.document import ProblemApi, openapi_yaml
from service.web.docs.pages import register_docs
from service.web.headers import register_headers
from service.web.parameters import Blueprint
from service.web.problems import register_errors
from service.web.proxy_headers import trusting
from service.web.read_slots import a_slot, in_a_slot, reads, reads_in_turns, register_slots
from service.web.representation import register_representation
from service.web.response_times import register_timing
from service.web.root import register_root

__all__ = [
    "Blueprint",
    "a_slot",
    "in_a_slot",
    "openapi_yaml",
    "reads",
    "reads_in_turns",
    "setup",
    "takes",
]


def setup(app: flask.Flask, settings: Web) -> ProblemApi:
    """Set up the application and return the Api that API blueprints are registered with."""
    app.wsgi_app = trusting(app.wsgi_app, settings)  # type: ignore[method-assign,assignment]  # as Flask's own documentation does
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider's
    register_timing(app)
    register_headers(app)
    register_cors(app, settings.origins)
    register_bounds(app)
    register_slots(app, settings.threads)
    register_representation(app)
    register_errors(app)
    register_root(app)
    api = ProblemApi(app)
    register_docs(app)
    return api
