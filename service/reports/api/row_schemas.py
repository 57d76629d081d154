"""The wire format of rows: a conversation, its answer and history, notes, the access log; named as in the files."""

from typing import Any, ClassVar

from marshmallow import Schema, fields, validate

from service.reports.api.figure_schemas import fields_of, schema_of
from service.reports.api.schemas import text, time
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

    change = fields.String(
        required=True,
        validate=validate.OneOf(("result", "request", "erased")),
        metadata={"description": "result: answered; request: not answered; erased: the answer is gone, forget it"},
    )


class ChangedPageSchema(Schema):
    """Some changes, the oldest first. There is no end: keep `next_cursor`."""

    items = RowList(ChangedRequestSchema)
    next_cursor = text("Where to go on, now or in a year")
    more = fields.Boolean(metadata={"description": "Others are there already"})


class UpdateSchema(Schema):
    """One thing X told us about the card."""

    seen_at = time("when we heard of it", none=False)
    x_updated_at = time("X's own time of it", none=False)
    channel = text("how it was told us: webhook, events, show, page or dm")
    verdict = text("applied, older or anomaly")
    score_at = time("the score's own time, where it told one")
    text_at = time("the comment's own time, where it told one")


class ResultDetailSchema(ResultSchema):
    """A result with its history."""

    updates = fields.List(fields.Nested(UpdateSchema))


class TransitionSchema(Schema):
    """One line of a request's life."""

    at = time("When", none=False)
    from_state = text("Where the request stood")
    to_state = text("Where it stands from then on")
    event = text("What happened, e.g. advanced, stopped, postponed")
    reason = text("Why it was skipped or failed", none=True)
    detail = text("More of it, e.g. X's code", none=True)
    actor = text("Which worker or key")


class RequestDetailSchema(RequestSchema):
    """A request with its life: why it was sent, or why not."""

    transitions = fields.List(fields.Nested(TransitionSchema))


class RequestPageSchema(Schema):
    """Some rows. An empty `next_cursor` is the end; a short page is not."""

    items = RowList(RequestSchema)
    next_cursor = text("Empty at the end")
    resume_cursor = text(
        "At the end: where to go on later, in the order of the commits, whatever a clock says. What changed during the "
        "read comes again, so replace by request_id. A 410 means that the database was restored: begin again."
    )
    withheld = fields.Boolean(
        metadata={"description": "Rows of small groups were left out: the filter names agents, teams, conversations"}
    )
    left = fields.List(
        fields.String(),
        metadata={
            "description": "From a `resume_cursor` on: request ids of what changed and is not in this list, or not any "
            "more, as its filter has it; drop what you hold of them"
        },
    )


class ResultPageSchema(RequestPageSchema):
    """Some results."""

    items = RowList(ResultSchema)
    erased = fields.List(
        fields.Nested(schema_of(Erased)),
        metadata={
            "description": "With `updated_since` or a cursor: answers that were erased, at their place in the order"
        },
    )


class NotesSchema(Schema):
    """All notes of a result, the oldest first."""

    items = fields.List(fields.Nested(NoteSchema))


class AccessSchema(Schema):
    """Who read comments, exported, or changed something by hand."""

    id = text("Of the line; later lines have greater ones")
    at = time("When", none=False)
    actor = text("The key, or the person at the command line")
    action = text("E.g. results.list, export.dashboard")
    detail = fields.Dict(metadata={"description": "Filters and counts, never a customer's words"})


class AccessPageSchema(Schema):
    """The newest first."""

    items = fields.List(fields.Nested(AccessSchema))
    next_cursor = text("Empty at the end")
