"""What every route shares: in, a bare Flask application; out, one with one error shape, strict parameters and headers.

    problems.py    every refusal and every fault as one problem document
    parameters.py  query strings and bodies, strictly      complaints.py  a schema's mistakes as one refusal
    headers.py     security headers, request ids           openapi.py     /openapi.yaml and /docs
    described.py   the routes outside /v1, in words        later.py   an answer that waits for a commit
    representation.py  ETags, compression, what is accepted

Knows no chapter of the story; chapters build their blueprints from `Blueprint` here.
"""

import flask

from service.web.headers import register_headers
from service.web.openapi import ProblemApi, openapi_yaml, register_docs
from service.web.parameters import Blueprint, StrictParser
from service.web.problems import register_errors
from service.web.representation import register_representation

__all__ = ["Blueprint", "ProblemApi", "StrictParser", "openapi_yaml", "register_errors", "setup"]


def setup(app: flask.Flask) -> ProblemApi:
    """Make the application ours and return the Api that API blueprints are registered with."""
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider's
    register_headers(app)
    register_representation(app)
    register_errors(app)
    api = ProblemApi(app)
    register_docs(app, api)
    return api
