"""The API by which who a customer is on X is handed in, and a link to a question page handed out.

For admins and `hand_in` keys. Connects outreach to routes. Never sends a customer's data back.
"""

from typing import Any

import flask
import sqlalchemy as sa
from marshmallow import Schema, fields
from sqlalchemy.engine import Engine

from service.db import reading
from service.errors import NotFound
from service.models import feedback_request
from service.outreach import by_hand, handed_over
from service.outreach.context import Workplace
from service.privacy.customer_routes import OF_X, CustomerRoutes, demand_reach
from service.settings.values import X_USER_ID, an_x_user_id
from service.web.parameters import StrictSchema

OURS = {"description": "The request's id, sent to X as external_id"}


class XIdentitySchema(StrictSchema):
    """Who the customer is on X."""

    x_user_id = fields.String(required=True, validate=an_x_user_id, metadata={"pattern": X_USER_ID, **OF_X})


class LinkSchema(Schema):
    """A link to a question page."""

    request_id = fields.String(required=True, metadata=OURS)
    url = fields.String(required=True, metadata={"description": "The link, for this customer only", "format": "uri"})
    good_until = fields.AwareDateTime(
        required=True,
        metadata={
            "description": "When the link expires: the end of reports.answer_window. Erasing the customer also ends it"
        },
    )


class RequestStateSchema(Schema):
    """Where the request stands now."""

    id = fields.String(required=True, metadata=OURS)
    state = fields.String(required=True, metadata={"description": "The request's state"})


def add(routes: CustomerRoutes) -> None:
    """Register the views."""
    customers = routes.customers

    @customers.route("/requests/<request_id>/x-identity", methods=["PUT"])
    @routes.guard.requires("admin", "hand_in")
    @customers.arguments(XIdentitySchema)
    @customers.response(200, RequestStateSchema, description="The request continues. All checks and limits still apply")
    @customers.doc(
        operationId="complete_identity", summary="Supply the customer's X user id for a request that lacks it."
    )
    def complete_identity(asked: dict[str, Any], request_id: str) -> dict[str, str]:
        demand_reach(_account_of(routes.engine, request_id), routes.settings)
        place = Workplace.open(routes.engine, routes.settings, "api")
        by = flask.g.reader.signature
        state = by_hand.complete(place, request_id, asked["x_user_id"], by=by, now=routes.clock())
        return {"id": request_id, "state": state}

    @customers.route("/conversations/<source>/<conversation_id>/link", methods=["POST"])
    @routes.guard.requires("admin", "hand_in")
    @customers.response(200, LinkSchema, description="The link. Repeated calls return the same one")
    @customers.doc(
        operationId="hand_over_link",
        summary="Get the link to a conversation's question page, to send it yourself. dm-feedback then sends "
        "nothing for this conversation.",
    )
    def hand_over_link(source: str, conversation_id: str) -> dict[str, Any]:
        account = _account_of_conversation(routes.engine, source, conversation_id)
        demand_reach(account, routes.settings)
        place = Workplace.open(routes.engine, routes.settings, "api")
        by = flask.g.reader.signature
        link = handed_over.hand_over(place, account, source, conversation_id, by=by, now=routes.clock())
        until = link.handed_over_at + routes.settings.reports.answer_window
        return {"request_id": link.request_id, "url": link.url, "good_until": until}


def _account_of_conversation(engine: Engine, source: str, conversation_id: str) -> str:
    with reading(engine) as connection:
        account = handed_over.account_of(connection, source, conversation_id)
    if account is None or not flask.g.reader.may_see(account):
        raise NotFound("unknown_conversation", "There is no such conversation.")
    return account


def _account_of(engine: Engine, request_id: str) -> str:
    wanted = sa.select(feedback_request.c.account).where(feedback_request.c.id == request_id)
    with reading(engine) as connection:
        account = connection.scalar(wanted)
    if account is None or not flask.g.reader.may_see(account):
        raise NotFound("unknown_request", "There is no such request.")
    return account
