"""Marks over the API, for supervisors and admins: whether an answer is dealt with, and who takes care of it.

Setting the same mark again changes nothing, so a call can be repeated. Each change is in the access log.
"""

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, validates_schema
from sqlalchemy.engine import Connection

from service.auth import log_access
from service.db import reading, writing
from service.reports.api.lists import found_result
from service.reports.api.routes import Routes
from service.reports.api.schemas import flag, number, text, time
from service.reports.query_values import YesNo
from service.reports.roles import READERS_OF_ANSWERS
from service.reports.rows import marks, query
from service.reports.rows.row import SAYS, Row
from service.web.parameters import StrictSchema

PATH = "/results/<request_id>/mark"


class MarkSchema(StrictSchema):
    """How an answer stands among supervisors."""

    request_id = text(SAYS["request_id"])
    done = flag("Whether the answer is done: nothing is left to do")
    done_at = time("When it was marked as done. null: still open")
    done_by = text("Who marked it as done", none=True)
    owner = text("The supervisor it is assigned to. null: nobody", none=True)
    owner_at = time("When it was assigned")
    owner_by = text("Who assigned it", none=True)
    notes = number("How many notes the answer has")


class NewMarkSchema(StrictSchema):
    """What changes; what is left out stays."""

    done = YesNo("true: mark as done. false: reopen")
    owner = text(
        "The supervisor to assign it to: the name of a valid supervisor key that covers the account. null: nobody",
        none=True,
    )

    @validates_schema
    def _says_something(self, given: Mapping[str, Any], **_kwargs: Any) -> None:
        if not given:
            raise ValidationError("or 'owner' is needed", "done")


def add(routes: Routes) -> None:
    """Register the views."""

    @routes.get(PATH, StrictSchema, MarkSchema, READERS_OF_ANSWERS, "Get an answer's status and its owner.")
    def get_mark(_asked: dict[str, Any], request_id: str) -> marks.ReviewMark:
        with reading(routes.engine) as connection:
            query.get(routes.query(connection), request_id)
            return marks.mark_of(connection, request_id)

    @routes.pages.route(PATH, methods=["PATCH"])
    @routes.guard.requires(*READERS_OF_ANSWERS)
    @routes.pages.arguments(NewMarkSchema)
    @routes.pages.response(200, MarkSchema)
    @routes.pages.doc(operationId="mark_result", summary="Mark an answer as done, reopen it, or assign it.")
    def mark_result(asked: dict[str, Any], request_id: str) -> marks.ReviewMark:
        row = found_result(routes, request_id)
        with writing(routes.engine) as connection:
            return _marked(connection, routes, row, asked)


def _marked(connection: Connection, routes: Routes, row: Row, asked: Mapping[str, Any]) -> marks.ReviewMark:
    now, reader = routes.clock(), routes.reader
    if asked.get("done") is True:
        marks.finish(connection, row.request_id, reader.name, now)
    elif asked.get("done") is False:
        marks.reopen(connection, row.request_id)
    if "owner" in asked:
        marks.give(connection, row, asked["owner"], reader.name, now)
    log_access(connection, reader.actor, "results.mark", {"request_id": row.request_id, **asked}, now)
    return marks.mark_of(connection, row.request_id)
