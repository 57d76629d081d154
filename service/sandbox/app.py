"""The sandbox as a Flask app: the table of X's endpoints, /_control, and X's 404 for everything else.

The app's `extensions["sandbox"]` is its `World`. Never answers HTML by itself. `faults.Drop` leaves the app as an
exception, which the server turns into a dead socket.
"""

import time
from collections.abc import Callable

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from service.sandbox import control, events, feedback, gate, messages, oauth2_tokens, users, v2
from service.sandbox.config import SandboxConfig
from service.sandbox.gate import Route
from service.sandbox.state import World
from service.sandbox.writing import XRefusal

MAX_BODY = 8 * 1024 * 1024
ENDPOINTS: tuple[Route, ...] = (
    Route("account/verify_credentials", "/1.1/account/verify_credentials.json", ("GET",), users.verify_credentials),
    Route("users/show", "/1.1/users/show.json", ("GET",), users.show),
    Route("users/lookup", "/1.1/users/lookup.json", ("GET", "POST"), users.lookup),
    Route("friendships/show", "/1.1/friendships/show.json", ("GET",), users.friendship),
    Route("direct_messages/events/new", "/1.1/direct_messages/events/new.json", ("POST",), messages.new),
    Route("direct_messages/events/list", "/1.1/direct_messages/events/list.json", ("GET",), messages.list_events),
    Route("direct_messages/events/show", "/1.1/direct_messages/events/show.json", ("GET",), messages.show),
    Route("feedback/create", "/1.1/feedback/create.json", ("POST",), feedback.create),
    Route("feedback/show", "/1.1/feedback/show/<path_id>.json", ("GET",), feedback.show),
    Route("feedback/events", "/1.1/feedback/events.json", ("GET",), events.list_events),
    Route("feedback/submit", "/1.1/feedback/submit/<path_id>.json", ("POST",), feedback.submit, as_customer=True),
    Route("feedback/dismiss", "/1.1/feedback/dismiss/<path_id>.json", ("POST",), feedback.dismiss, as_customer=True),
    Route(
        "application/rate_limit_status", "/1.1/application/rate_limit_status.json", ("GET",), users.rate_limit_status
    ),
    Route("2/users/me", "/2/users/me", ("GET",), v2.me),
    Route("2/users/:id", "/2/users/<path_id>", ("GET",), v2.user),
    Route("2/users/by/username", "/2/users/by/username/<path_id>", ("GET",), v2.user_by_name),
    Route("2/dm_conversations/messages", "/2/dm_conversations/with/<path_id>/messages", ("POST",), v2.send),
    Route("2/dm_conversations/dm_events", "/2/dm_conversations/with/<path_id>/dm_events", ("GET",), v2.list_with),
)


def create_sandbox(config: SandboxConfig, wall: Callable[[], float] = time.time) -> Flask:
    """A new X with an empty memory. `wall` is the real time, which OAuth timestamps are judged by."""
    app = Flask("service.sandbox", static_folder=None)
    # Exceptions must reach the server: Flask would otherwise answer a dropped connection with a 500.
    app.config.update(PROPAGATE_EXCEPTIONS=True, MAX_CONTENT_LENGTH=MAX_BODY)
    world = World(config, wall)
    app.extensions["sandbox"] = world
    for endpoint in ENDPOINTS:
        app.add_url_rule(endpoint.rule, endpoint.name, _view(world, endpoint), methods=list(endpoint.methods))
    app.register_blueprint(control.blueprint(world, ENDPOINTS))
    app.register_blueprint(oauth2_tokens.blueprint(world))
    app.register_error_handler(HTTPException, _not_found)
    return app


def _view(world: World, endpoint: Route) -> Callable[..., Response]:
    def view(path_id: str | None = None) -> Response:
        return gate.answer(world, endpoint, request, path_id)

    return view


def _not_found(error: HTTPException) -> Response:
    """X answers a wrong path, a wrong method and a missing `.json` alike."""
    refusal = XRefusal(404, 34) if error.code in {404, 405} else XRefusal(error.code or 400, 214, error.name)
    response = jsonify(refusal.body)
    response.status_code = refusal.status
    return response
