"""The wire format of rows: a conversation, its answer and history, notes, the access log; named as in the files."""

from typing import Any, ClassVar

from marshmallow import Schema, fields, validate

from service.reports.api.figure_schemas import fields_of, schema_of
from service.reports.api.schemas import flag, text, time
from service.reports.rows.notes import ReviewNote
from service.reports.rows.position import Erased
from service.reports.rows.row import COLUMNS, Row

ROW = fields_of(Row)
NoteSchema = schema_of(ReviewNote, "Note")
ANSWER = ("score", "score_at", "score_after_s", "score_way", "text", "text_at", "text_after_s", "update_count")
WITHOUT_ANSWER = tuple(name for name in COLUMNS if name not in ANSWER)


class RequestSchema(Schema):
    """One ended conversation and what became of it, without the answer."""

    class Meta:
        """The columns of a row."""

        include: ClassVar = {name: field for name, field in ROW.items() if name not in ANSWER}


class ResultSchema(RequestSchema):
    """The same with the answer."""

    class Meta:
        """The other columns."""

        include: ClassVar = {name: ROW[name] for name in ANSWER}


class RowList(fields.List[Any]):
    """Rows as `rows.row.objects_of` made them: to go through them field by field took as long as to read them."""

    def __init__(self, schema: type[Schema]) -> None:
        super().__init__(fields.Nested(schema))

    def _serialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        return value


class ChangedRequestSchema(ResultSchema):
    """A request as it is now, and what that means for a mirror."""

    change = text(
        "`result`: answered. `request`: not answered. `erased`: the answer was erased, so delete your copy",
        required=True,
        validate=validate.OneOf(("result", "request", "erased")),
    )


class ChangedPageSchema(Schema):
    """Some changes, the oldest first. There is no end: keep `next_cursor`."""

    items = RowList(ChangedRequestSchema)
    next_cursor = text("Where to continue, at any later time")
    more = flag("Whether more changes are already available")


class UpdateSchema(Schema):
    """One thing X told us about the card."""

    seen_at = time("When we received it", none=False)
    x_updated_at = time("X's own timestamp", none=False)
    channel = text("How it reached us: webhook, events, show, page or dm")
    verdict = text("applied, older or anomaly")
    score_at = time("When the score was given, if it carried one")
    text_at = time("When the comment was written, if it carried one")


class ResultDetailSchema(ResultSchema):
    """A result with its history."""

    updates = fields.List(fields.Nested(UpdateSchema))


class TransitionSchema(Schema):
    """One line of a request's life."""

    at = time("When it happened", none=False)
    from_state = text("State before the transition")
    to_state = text("State after the transition")
    event = text("What happened, e.g. advanced, stopped, postponed")
    reason = text("Why the request was skipped or failed", none=True)
    detail = text("More detail, e.g. X's error code", none=True)
    actor = text("The worker or key that caused it")


class RequestDetailSchema(RequestSchema):
    """A request with its life: why it was sent, or why not."""

    transitions = fields.List(fields.Nested(TransitionSchema))


class RequestPageSchema(Schema):
    """Some rows. An empty `next_cursor` is the end; a short page is not."""

    items = RowList(RequestSchema)
    next_cursor = text("Where to continue. Empty on the last page")
    resume_cursor = text(
        "On the last page: where to continue later. It follows commit order and does not depend on any "
        "clock. Rows that changed during the read come again, so replace your copies by request_id. A 410 "
        "means that the database was restored from a backup: start again."
    )
    withheld = flag(
        "Whether rows of small groups were left out, because the filter names agents, teams or conversations"
    )
    left = fields.List(
        fields.String(),
        metadata={
            "description": "When reading from a `resume_cursor`: ids of requests that changed and do not match this "
            "list's filter, or no longer do. Delete your copies of them"
        },
    )


class ResultPageSchema(RequestPageSchema):
    """Some results."""

    items = RowList(ResultSchema)
    erased = fields.List(
        fields.Nested(schema_of(Erased)),
        metadata={
            "description": "With `updated_since` or a cursor: answers that were erased, at their position in the order"
        },
    )


class NotesSchema(Schema):
    """All notes of a result, the oldest first."""

    items = fields.List(fields.Nested(NoteSchema))


class AccessSchema(Schema):
    """Who read comments, exported, or changed something by hand."""

    id = text("The line's id. Later lines have higher ids")
    at = time("When it happened", none=False)
    actor = text("The key, or the person at the command line, that did it")
    action = text("What was done, e.g. results.list, export.dashboard")
    detail = fields.Dict(metadata={"description": "Filters and counts, never what a customer wrote"})
    address = text("The IP address it came from. null: none, as at the command line", none=True)
    outcome = text("`done`, or `refused` for a key that is not valid. null: not recorded", none=True)


class AccessPageSchema(Schema):
    """The newest first."""

    items = fields.List(fields.Nested(AccessSchema))
    next_cursor = text("Where to continue. Empty on the last page")
