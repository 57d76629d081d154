"""Names of agents and teams over the API, for supervisors and admins to read and to set.

A key reaches the names of its own accounts and those valid for all accounts. A name holds from a day on; a conversation
keeps the name valid at its end. Calls are in the access log, names are not.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from marshmallow import fields, validate

from service.auth import Reader, log_access
from service.db import EPOCH, reading, writing
from service.errors import Invalid
from service.reports.api.routes import Routes
from service.reports.api.schemas import number, text
from service.reports.people import names_csv, stored
from service.reports.people.name_at import EVERY_ACCOUNT, KINDS, NameLine
from service.reports.people.stored import StoredName
from service.reports.roles import READERS_OF_ANSWERS, demand_account
from service.settings import Settings
from service.web.parameters import StrictSchema

MOST = 300  # fits a body of the usual size


class PersonNameSchema(StrictSchema):
    """What somebody is called from a day on."""

    kind = text(
        "Whether it names an agent or a team",
        required=True,
        validate=validate.OneOf(KINDS, error="must be 'agent' or 'team'"),
    )
    id = text("The agent's or team's id in the CRM, as conversations carry it", required=True)
    name = text("The name. null: no name from that day on, so the id is shown", none=True, required=True)
    since = fields.Date(
        load_default=None,
        allow_none=True,
        metadata={"description": "First day on which the name applies, e.g. 2026-03-01. null: from the beginning"},
    )
    account = text("The X account. null: all accounts", none=True, load_default=None)


class GivenNameSchema(PersonNameSchema):
    """What somebody is called from a day on, and who gave the name."""

    given_by = text("Who set it: a key, a person at the command line, source:NAME for a CRM, or settings")


class PeopleSchema(StrictSchema):
    """Every name there is, by kind and id."""

    items = fields.List(fields.Nested(GivenNameSchema))


class NewNamesSchema(StrictSchema):
    """Names to keep: all of them, or none if one is wrong."""

    items = fields.List(
        fields.Nested(PersonNameSchema),
        required=True,
        validate=validate.Length(1, MOST, error=f"takes 1 to {MOST} names; send more in several calls"),
    )


class KeptNamesSchema(StrictSchema):
    """What came of it."""

    new = number("How many names were new or changed")
    known = number("How many names were already known")


def add(routes: Routes) -> None:
    """Register the views."""

    @routes.get("/people", StrictSchema, PeopleSchema, READERS_OF_ANSWERS, "List the names of agents and teams.")
    def list_people(_asked: dict[str, Any]) -> dict[str, Any]:
        routes.log("people.list", {})
        with reading(routes.engine) as connection:
            found = stored.listed(connection, routes.settings)
        return {"items": [_told(each, routes.settings) for each in found if _is_mine(each.account, routes.reader)]}

    @routes.pages.route("/people", methods=["PUT"])
    @routes.guard.requires(*READERS_OF_ANSWERS)
    @routes.pages.arguments(NewNamesSchema)
    @routes.pages.response(200, KeptNamesSchema)
    @routes.pages.doc(
        operationId="name_people",
        summary="Set the names of agents and teams. Sending the same names again changes nothing.",
        description=f"For keys with the role {' or '.join(READERS_OF_ANSWERS)}. A key that is restricted to "
        "some accounts must give `account`.",
    )
    def name_people(asked: dict[str, Any]) -> dict[str, int]:
        lines, now, reader = _lines(asked["items"], routes), routes.clock(), routes.reader
        with writing(routes.engine) as connection:
            new = stored.keep(connection, lines, reader.actor, now)
            log_access(connection, reader.actor, "people.put", {"names": len(lines), "new": new}, now)
        return {"new": new, "known": len(lines) - new}


def _lines(items: list[dict[str, Any]], routes: Routes) -> list[NameLine]:
    """Read them as the lines of a file. Raises Invalid with every wrong one, NotAllowed for another's account."""
    found, wrong = [], {}
    for place, each in enumerate(items):
        demand_account(routes.reader, each["account"], "in which of them the name holds")
        try:
            found.append(names_csv.line_of(_as_row(each), routes.settings))
        except ValueError as error:
            wrong[f"items.{place}"] = [str(error)]
    if wrong:
        raise Invalid("wrong_names", "Some names are not valid, so none was stored.", errors=wrong)
    if twice := names_csv.twice(found):
        raise Invalid("wrong_names", f"{twice[0]}. None was kept.")
    return found


def _as_row(each: Mapping[str, Any]) -> dict[str, str]:
    since: date | None = each["since"]
    day = "" if since is None else since.isoformat()
    name = each["name"] or ""
    return {"kind": each["kind"], "id": each["id"].strip(), "name": name.strip(), "since": day,
            "account": each["account"] or ""}  # fmt: skip


def _is_mine(account: str, reader: Reader) -> bool:
    return account == EVERY_ACCOUNT or reader.may_see(account)


def _told(each: StoredName, settings: Settings) -> dict[str, Any]:
    return {
        "kind": each.kind,
        "id": each.person_id,
        "name": each.name,
        "since": None if each.since == EPOCH else each.since.astimezone(settings.service.time_zone).date(),
        "account": None if each.account == EVERY_ACCOUNT else each.account,
        "given_by": each.given_by,
    }
