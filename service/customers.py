"""Customers' own wishes over the API: in, an X user id; out, an entry in the opt-out list, or an erasure. Audited.

Admins only. Wires outreach's list and the erasure of all chapters to routes; shows no customer back.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import flask
from flask.views import MethodView
from flask_smorest import Blueprint
from marshmallow import RAISE, Schema, fields, validate
from sqlalchemy.engine import Engine

from service import housekeeping
from service.auth import Guard, log_access
from service.db import writing
from service.errors import Invalid, NotFound
from service.outreach import opt_out
from service.settings import Settings

X_USER_ID = r"^[0-9]{1,19}$"


class OptOutSchema(Schema):
    """Who must not be asked, by which accounts."""

    class Meta:
        """A misspelt field must not be silently without effect."""

        unknown = RAISE

    x_user_ids = fields.List(
        fields.String(validate=validate.Regexp(X_USER_ID, error="an X user id is 1 to 19 digits, as a string")),
        required=True,
        validate=validate.Length(1, 10_000),
        metadata={"description": "numeric X user ids, as strings"},
    )
    account = fields.String(load_default=opt_out.EVERY_ACCOUNT, metadata={"description": "one account, or '*' for all"})
    reason = fields.String(load_default="asked_by_customer", validate=validate.Length(1, 64))


class OptOutCountSchema(Schema):
    """What an import did."""

    added = fields.Integer(strict=True, required=True)


class ErasureSchema(Schema):
    """What an erasure changed, a count a kind of data."""

    x_user_id = fields.String(required=True)
    erased = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


def blueprint(settings: Settings, engine: Engine, guard: Guard, clock: Callable[[], datetime]) -> Blueprint:
    """Return the routes for opt-outs and erasure."""
    customers = Blueprint("customers", __name__, url_prefix="/v1", description="What customers may ask for")

    @customers.route("/opt-outs")
    class OptOuts(MethodView):
        @customers.arguments(OptOutSchema)
        @customers.response(200, OptOutCountSchema, description="How many were not on the list before")
        @guard.requires("admin")
        def post(self, asked: dict[str, Any]) -> dict[str, int]:
            """Put customers on the opt-out list."""
            if asked["account"] not in {opt_out.EVERY_ACCOUNT, *settings.accounts}:
                raise Invalid("unknown_account", f"There is no account '{asked['account']}'; '*' means every one.")
            actor, now = flask.g.reader.actor, clock()
            with writing(engine) as connection:
                added = opt_out.add(
                    connection, asked["x_user_ids"], secret_key=settings.service.secret_key, account=asked["account"],
                    reason=asked["reason"], by=actor[:64], now=now,
                )  # fmt: skip
                log_access(connection, actor, "opt_out.add", {"added": added, "account": asked["account"]}, now)
            return {"added": added}

    @customers.route("/opt-outs/<x_user_id>")
    class OptOut(MethodView):
        @customers.response(204, description="Taken off the list")
        @guard.requires("admin")
        def delete(self, x_user_id: str) -> None:
            """Take a customer off the opt-out list for every account."""
            with writing(engine) as connection:
                if not opt_out.remove(connection, x_user_id, secret_key=settings.service.secret_key):
                    raise NotFound("not_opted_out", "This customer is not on the list for every account.")
                log_access(connection, flask.g.reader.actor, "opt_out.remove", {}, clock())

    @customers.route("/customers/<x_user_id>")
    class Customer(MethodView):
        @customers.response(200, ErasureSchema, description="What was erased")
        @guard.requires("admin")
        def delete(self, x_user_id: str) -> dict[str, Any]:
            """Erase a customer: identity and text go, and they are never asked again."""
            if not x_user_id.isascii() or not x_user_id.isdigit():
                raise Invalid("not_an_x_user_id", "An X user id is 1 to 19 digits.")
            counts = housekeeping.erase(engine, settings, x_user_id, by=flask.g.reader.actor[:64], now=clock())
            return {"x_user_id": x_user_id, "erased": dict(counts)}

    return customers
