"""The API about customers: opt-outs, erasure, what we hold, identities handed in, links to a question page.

For admins; identities and links also for `hand_in` keys. Connects `customers`, erasure and outreach to routes, and logs
every call in the access log. Never sends a customer's data back, except for "what we hold".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import flask
import sqlalchemy as sa
from marshmallow import Schema, ValidationError, fields, validate
from sqlalchemy.engine import Engine

from service.auth import Guard, log_access
from service.auth.keys import Reader
from service.customers import opted_out, two_person_rule
from service.customers.hash_key import open_key
from service.db import reading, writing
from service.errors import Conflict, Invalid, NotFound
from service.ids import person
from service.models import feedback_request
from service.outreach import by_hand, handed_over
from service.outreach.context import Workplace
from service.privacy import held, housekeeping
from service.settings import Settings
from service.settings.values import X_USER_ID, an_x_user_id, is_x_user_id
from service.web import Blueprint, reads, takes
from service.web.parameters import StrictSchema

MOST_IDS = 10_000
IN_THE_PATH: Mapping[str, Any] = {
    "in": "path", "name": "x_user_id", "required": True, "schema": {"type": "string", "pattern": X_USER_ID},
    "description": "1 to 19 digits without a leading zero",
}  # fmt: skip


def _printable(value: str) -> None:
    """NUL and lone surrogates cannot be stored."""
    if not value.isprintable():
        raise ValidationError("must be printable characters")


class OptOutSchema(StrictSchema):
    """Who must not be asked, by which accounts."""

    x_user_ids = fields.List(
        fields.String(validate=an_x_user_id, metadata={"pattern": X_USER_ID}),
        required=True,
        validate=validate.Length(1, MOST_IDS),
        metadata={"description": "numeric X user ids, as strings"},
    )
    account = fields.String(
        load_default=opted_out.EVERY_ACCOUNT, metadata={"description": "one account, or '*' for all"}
    )
    reason = fields.String(load_default="asked_by_customer", validate=[validate.Length(1, 64), _printable])


class OptOutCountSchema(Schema):
    """What an import did."""

    added = fields.Integer(strict=True, required=True)


class ErasureSchema(Schema):
    """What an erasure changed, a count a kind of data."""

    x_user_id = fields.String(required=True)
    erased = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class AllHeldSchema(Schema):
    """What we hold of a person: the rows of each table, as they are stored."""

    x_user_id = fields.String(required=True)
    held = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.Dict()),
        required=True,
        metadata={"description": "by table; a table with nothing of them is an empty list"},
    )


class XIdentitySchema(StrictSchema):
    """Who the customer is on X."""

    x_user_id = fields.String(required=True, validate=an_x_user_id, metadata={"pattern": X_USER_ID})


class LinkSchema(Schema):
    """A link to a question page."""

    request_id = fields.String(required=True)
    url = fields.String(required=True, metadata={"description": "for this customer alone", "format": "uri"})
    good_until = fields.AwareDateTime(
        required=True, metadata={"description": "the end of reports.answer_window; erasing the customer ends it too"}
    )


class RequestStateSchema(Schema):
    """Where the request stands now."""

    id = fields.String(required=True)
    state = fields.String(required=True)


@dataclass(frozen=True, slots=True)
class _Customers:
    """What every route here needs."""

    customers: Blueprint
    settings: Settings
    engine: Engine
    guard: Guard
    clock: Callable[[], datetime]


def blueprint(settings: Settings, engine: Engine, guard: Guard, clock: Callable[[], datetime]) -> Blueprint:
    """Return the routes of customers. The key is checked before anything else is looked at."""
    customers = Blueprint("customers", __name__, url_prefix="/v1", description="What customers may ask for")
    routes = _Customers(customers, settings, engine, guard, clock)
    _add_opt_outs(routes)
    _add_what_is_held(routes)
    _add_hand_ins(routes)
    return customers


def _add_opt_outs(routes: _Customers) -> None:
    customers = routes.customers

    @customers.route("/opt-outs", methods=["POST"])
    @takes(MOST_IDS * 24)  # a digit more than an id has, quotes, a comma and a space
    @routes.guard.requires("admin")
    @customers.arguments(OptOutSchema)
    @customers.response(200, OptOutCountSchema, description="How many were not on the list before")
    @customers.doc(operationId="add_opt_outs", summary="Put customers on the opt-out list.")
    def add_opt_outs(asked: dict[str, Any]) -> dict[str, int]:
        _demand_reach(asked["account"], routes.settings)
        actor, now = flask.g.reader.actor, routes.clock()
        hash_key = open_key(routes.engine, routes.settings.service.secret_key)
        with writing(routes.engine) as connection:
            added = opted_out.add(
                connection, asked["x_user_ids"], hash_key=hash_key, account=asked["account"],
                reason=asked["reason"], by=flask.g.reader.signature, now=now,
            )  # fmt: skip
            log_access(connection, actor, "opt_out.add", {"added": added, "account": asked["account"]}, now)
        return {"added": added}

    @customers.route("/opt-outs/<x_user_id>", methods=["DELETE"], parameters=[dict(IN_THE_PATH)])
    @routes.guard.requires("admin")
    @customers.response(204, description="Taken off the list")
    @customers.doc(operationId="remove_opt_out", summary="Take a customer off the opt-out list of every account.")
    def remove_opt_out(x_user_id: str) -> None:
        _demand_reach(opted_out.EVERY_ACCOUNT, routes.settings)
        _demand_x_user_id(x_user_id)
        hash_key = open_key(routes.engine, routes.settings.service.secret_key)
        with writing(routes.engine) as connection:
            if not opted_out.remove(connection, x_user_id, hash_key=hash_key):
                raise NotFound("not_opted_out", "This customer is not on the list for every account.")
            log_access(connection, flask.g.reader.actor, "opt_out.remove", {}, routes.clock())


def _add_what_is_held(routes: _Customers) -> None:
    customers = routes.customers

    @customers.route("/customers/<x_user_id>", methods=["GET"], parameters=[dict(IN_THE_PATH)])
    @routes.guard.requires("admin")
    @reads
    @customers.response(200, AllHeldSchema, description="Every row; a raw delivery may tell of other people too")
    @customers.doc(
        operationId="export_customer",
        summary="All we hold of a customer: what erasing them would reach, and their opt-outs.",
    )
    def export_customer(x_user_id: str) -> dict[str, Any]:
        _demand_reach(opted_out.EVERY_ACCOUNT, routes.settings)
        _demand_x_user_id(x_user_id)
        kept = held.export(routes.engine, routes.settings, x_user_id, by=flask.g.reader.actor, now=routes.clock())
        return {"x_user_id": x_user_id, "held": kept}

    @customers.route("/customers/<x_user_id>", methods=["DELETE"], parameters=[dict(IN_THE_PATH)])
    @routes.guard.requires("admin")
    @customers.response(200, ErasureSchema, description="What was erased, a count a kind of data")
    @customers.doc(operationId="erase_customer", summary="Erase a customer, who is then never asked again.")
    def erase_customer(x_user_id: str) -> dict[str, Any]:
        _demand_reach(opted_out.EVERY_ACCOUNT, routes.settings)
        _demand_x_user_id(x_user_id)
        if routes.settings.privacy.erase_by_two:
            _demand_second_person(routes.engine, routes.settings, x_user_id, flask.g.reader, routes.clock())
        counts = housekeeping.erase(
            routes.engine, routes.settings, x_user_id, by=flask.g.reader.signature, now=routes.clock()
        )
        return {"x_user_id": x_user_id, "erased": dict(counts)}


def _add_hand_ins(routes: _Customers) -> None:
    customers = routes.customers

    @customers.route("/requests/<request_id>/x-identity", methods=["PUT"])
    @routes.guard.requires("admin", "hand_in")
    @customers.arguments(XIdentitySchema)
    @customers.response(200, RequestStateSchema, description="The request is taken up; every gate and limit stands")
    @customers.doc(operationId="complete_identity", summary="Tell who the customer of a request without one is on X.")
    def complete_identity(asked: dict[str, Any], request_id: str) -> dict[str, str]:
        _demand_reach(_account_of(routes.engine, request_id), routes.settings)
        place = Workplace.open(routes.engine, routes.settings, "api")
        by = flask.g.reader.signature
        state = by_hand.complete(place, request_id, asked["x_user_id"], by=by, now=routes.clock())
        return {"id": request_id, "state": state}

    @customers.route("/conversations/<source>/<conversation_id>/link", methods=["POST"])
    @routes.guard.requires("admin", "hand_in")
    @customers.response(200, LinkSchema, description="The same link, however often it is asked for")
    @customers.doc(
        operationId="hand_over_link",
        summary="Get the question page's link of a conversation, to send it yourself; nothing of ours is sent then.",
    )
    def hand_over_link(source: str, conversation_id: str) -> dict[str, Any]:
        account = _account_of_conversation(routes.engine, source, conversation_id)
        _demand_reach(account, routes.settings)
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


def _demand_second_person(engine: Engine, settings: Settings, x_user_id: str, reader: Reader, now: datetime) -> None:
    """Raise Conflict for the first person who asks; the request is remembered."""
    whom = person(open_key(engine, settings.service.secret_key), x_user_id)
    with writing(engine) as connection:
        agreed = two_person_rule.agreed(connection, whom, reader.name, now)
        if not agreed:
            log_access(connection, reader.actor, "customer.erase.ask", {}, now)
    if not agreed:
        raise Conflict(
            "second_person_needed",
            "Erasing needs two people here (privacy.erase_by_two). Somebody else must ask for the same within a week.",
        )


def _demand_x_user_id(given: str) -> None:
    if not is_x_user_id(given):
        raise Invalid("not_an_x_user_id", "An X user id is 1 to 19 digits without a leading zero.")


def _account_of(engine: Engine, request_id: str) -> str:
    wanted = sa.select(feedback_request.c.account).where(feedback_request.c.id == request_id)
    with reading(engine) as connection:
        account = connection.scalar(wanted)
    if account is None or not flask.g.reader.may_see(account):
        raise NotFound("unknown_request", "There is no such request.")
    return account


def _demand_reach(account: str, settings: Settings) -> None:
    """Let a key act only on the accounts it covers; what affects all accounts needs a key for all of them."""
    if account not in {opted_out.EVERY_ACCOUNT, *settings.accounts}:
        raise Invalid("unknown_account", f"There is no account '{account}'; '*' means all.")
    reader: Reader = flask.g.reader
    if account == opted_out.EVERY_ACCOUNT:
        reader.demand_all()
    else:
        reader.demand(account)
