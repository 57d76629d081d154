"""The API about customers, for admins: opt-outs, erasure, what we hold.

Logs every call in the access log. Never sends a customer's data back, except for "what we hold".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import flask
from marshmallow import Schema, ValidationError, fields, validate
from sqlalchemy.engine import Engine

from service.auth import Guard, log_access
from service.auth.keys import Reader
from service.clock import Clock
from service.customers import opted_out, two_person_rule
from service.customers.hash_key import open_key
from service.db import writing
from service.errors import Conflict, Invalid, NotFound
from service.ids import person
from service.privacy import held, housekeeping
from service.settings import Settings
from service.settings.values import X_USER_ID, an_x_user_id, is_x_user_id
from service.web import Blueprint, in_a_slot, takes
from service.web.parameters import StrictSchema

MOST_IDS = 10_000
IN_THE_PATH: Mapping[str, Any] = {
    "in": "path", "name": "x_user_id", "required": True, "schema": {"type": "string", "pattern": X_USER_ID},
    "description": "The customer's X user id: 1 to 19 digits without a leading zero",
}  # fmt: skip

OF_X = {"description": "The customer's X user id"}


def _printable(value: str) -> None:
    """NUL and lone surrogates cannot be stored."""
    if not value.isprintable():
        raise ValidationError("must be printable characters")


def _no_erasure(value: str) -> None:
    """What names an erased person later is deleted, which may take two people."""
    if value == opted_out.ERASED:
        raise ValidationError(f"'{value}' is the reason of an erasure: erase the customer, or give another reason")


class OptOutSchema(StrictSchema):
    """Who must not be asked, by which accounts."""

    x_user_ids = fields.List(
        fields.String(validate=an_x_user_id, metadata={"pattern": X_USER_ID}),
        required=True,
        validate=validate.Length(1, MOST_IDS, error="must be 1 to {max} ids"),
        metadata={"description": "Numeric X user ids, as strings"},
    )
    account = fields.String(
        load_default=opted_out.EVERY_ACCOUNT, metadata={"description": "One account, or '*' for all"}
    )
    reason = fields.String(
        load_default="asked_by_customer",
        validate=[validate.Length(1, 64, error="must have 1 to {max} characters"), _printable, _no_erasure],
        metadata={"description": "The reason, for people who look it up later. Do not include what a customer wrote"},
    )


class OptOutCountSchema(Schema):
    """What an import did."""

    added = fields.Integer(strict=True, required=True, metadata={"description": "How many were not on the list before"})


class ErasureSchema(Schema):
    """What an erasure changed, a count a kind of data."""

    x_user_id = fields.String(required=True, metadata=OF_X)
    erased = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "Number of rows, by kind of data"},
    )


class AllHeldSchema(Schema):
    """What we hold of a person: the rows of each table, as they are stored."""

    x_user_id = fields.String(required=True, metadata=OF_X)
    held = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.Dict()),
        required=True,
        metadata={"description": "Rows by table. A table that holds nothing about the customer has an empty list"},
    )


@dataclass(frozen=True, slots=True)
class CustomerRoutes:
    """What every route of customers needs."""

    customers: Blueprint
    settings: Settings
    engine: Engine
    guard: Guard
    clock: Clock


def add(routes: CustomerRoutes) -> None:
    """Register the views."""
    _add_opt_outs(routes)
    _add_what_is_held(routes)


def _add_opt_outs(routes: CustomerRoutes) -> None:
    customers = routes.customers

    @customers.route("/opt-outs", methods=["POST"])
    @takes(MOST_IDS * 24)  # a digit more than an id has, quotes, a comma and a space
    @routes.guard.requires("admin")
    @customers.arguments(OptOutSchema)
    @customers.response(200, OptOutCountSchema, description="How many were not on the list before")
    @customers.doc(operationId="add_opt_outs", summary="Add customers to the opt-out list.")
    def add_opt_outs(asked: dict[str, Any]) -> dict[str, int]:
        demand_reach(asked["account"], routes.settings)
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
    @customers.response(204, description="Removed from the list")
    @customers.doc(operationId="remove_opt_out", summary="Remove a customer from the opt-out list for all accounts.")
    def remove_opt_out(x_user_id: str) -> None:
        _demand_anywhere(x_user_id)
        hash_key = open_key(routes.engine, routes.settings.service.secret_key)
        with writing(routes.engine) as connection:
            if not opted_out.remove(connection, x_user_id, hash_key=hash_key):
                raise NotFound("not_opted_out", "This customer is not on the list for every account.")
            log_access(connection, flask.g.reader.actor, "opt_out.remove", {}, routes.clock())


def _add_what_is_held(routes: CustomerRoutes) -> None:
    customers = routes.customers

    @customers.route("/customers/<x_user_id>", methods=["GET"], parameters=[dict(IN_THE_PATH)])
    @routes.guard.requires("admin")
    @customers.response(
        200, AllHeldSchema, description="Every row. A raw delivery may also contain data about other people"
    )
    @customers.doc(
        operationId="export_customer",
        summary="Export everything held about a customer: all data that erasure would reach, and their opt-outs.",
    )
    def export_customer(x_user_id: str) -> flask.Response:
        _demand_anywhere(x_user_id)
        actor, now = flask.g.reader.actor, routes.clock()

        def made() -> flask.Response:
            kept = held.export(routes.engine, routes.settings, x_user_id, by=actor, now=now)
            return flask.jsonify({"x_user_id": x_user_id, "held": kept})

        return in_a_slot(made)  # every stored body is searched: as long as that takes, and as many at once as exports

    @customers.route("/customers/<x_user_id>", methods=["DELETE"], parameters=[dict(IN_THE_PATH)])
    @routes.guard.requires("admin")
    @customers.response(200, ErasureSchema, description="What was erased: a count for each kind of data")
    @customers.doc(operationId="erase_customer", summary="Erase a customer's data. The customer is never asked again.")
    def erase_customer(x_user_id: str) -> dict[str, Any]:
        _demand_anywhere(x_user_id)
        if routes.settings.privacy.erase_by_two:
            _demand_second_person(routes.engine, routes.settings, x_user_id, flask.g.reader, routes.clock())
        counts = housekeeping.erase(
            routes.engine, routes.settings, x_user_id, by=flask.g.reader.signature, now=routes.clock()
        )
        return {"x_user_id": x_user_id, "erased": dict(counts)}


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
            "Erasing needs two people here (privacy.erase_by_two). A second person must send the same request within "
            "a week.",
        )


def _demand_anywhere(x_user_id: str) -> None:
    """Refuse a key that does not cover all accounts, and what is no X user id."""
    flask.g.reader.demand_all()
    if not is_x_user_id(x_user_id):
        raise Invalid("not_an_x_user_id", "An X user id is 1 to 19 digits without a leading zero.")


def demand_reach(account: str, settings: Settings) -> None:
    """Let a key act only on the accounts it covers; what affects all accounts needs a key for all of them."""
    if account not in {opted_out.EVERY_ACCOUNT, *settings.accounts}:
        raise Invalid("unknown_account", f"There is no account '{account}'; '*' means all.")
    reader: Reader = flask.g.reader
    if account == opted_out.EVERY_ACCOUNT:
        reader.demand_all()
    else:
        reader.demand(account)
