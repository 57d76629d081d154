"""What every route shares: one error shape, strict parameters and the usual headers, added to a Flask application.

    problems.py    every refusal and fault as a problem document
    parameters.py  query strings and bodies, strictly      complaints.py  validation errors as one refusal
    headers.py     security headers, request ids           openapi.py     /openapi.yaml and /docs
    described.py   the routes outside /v1, in words        bounds.py      how large and how odd a request may be
    slots.py       reading never takes intake's threads    proxies.py     who the client is
    later.py       an answer that waits for a commit       well_known.py  security.txt, robots.txt
    how_to.py      two pages for spreadsheet users         representation.py  ETags, compression, Accept
    origins.py     CORS                                    timed.py       how long answers took
    behind.py      how far a replica lags                  beginning.py   what the bare address shows
    once.py        `Idempotency-Key`                       statuses.py    names of HTTP statuses
    catalogue.py   every refusal there is, for /docs/problems
    completed.py, examples.py   completes the API's description, with examples
    apart.py       addresses whose answers may wait for somebody else

Knows no chapter of the story; chapters build their blueprints from `Blueprint` here.
"""

import flask

from service.settings import Web
from service.web.beginning import register_beginning
from service.web.bounds import register_bounds, takes
from service.web.headers import register_headers
from service.web.openapi import ProblemApi, openapi_yaml, register_docs
from service.web.origins import register_origins
from service.web.parameters import Blueprint
from service.web.problems import register_errors
from service.web.proxies import behind
from service.web.representation import register_representation
from service.web.slots import a_slot, in_a_slot, reads, reads_in_turns, register_slots
from service.web.timed import register_timing

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
    app.wsgi_app = behind(app.wsgi_app, settings)  # type: ignore[method-assign,assignment]  # as Flask's own documentation does
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider's
    register_timing(app)
    register_headers(app)
    register_origins(app, settings.origins)
    register_bounds(app)
    register_slots(app, settings.threads)
    register_representation(app)
    register_errors(app)
    register_beginning(app)
    api = ProblemApi(app)
    register_docs(app)
    return api
