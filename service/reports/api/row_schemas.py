"""The wire format of rows: a conversation, its answer and history, notes, the access log; named as in the files."""

from marshmallow import Schema, fields, validate

from service.reports.api.schemas import number, text, time
from service.reports.rows.row import SAYS


class RequestSchema(Schema):
    """One ended conversation and what became of it, without the answer."""

    request_id = text(SAYS["request_id"])
    conversation_id = text(SAYS["conversation_id"], none=True)
    conversation_url = text(SAYS["conversation_url"], none=True)
    source = text(SAYS["source"])
    account = text(SAYS["account"])
    campaign = text(SAYS["campaign"], none=True)
    team_id = text(SAYS["team_id"], none=True)
    agent_id = text(SAYS["agent_id"], none=True)
    type = text(SAYS["type"], none=True)
    question_variant_id = number(SAYS["question_variant_id"], none=True)
    display_name = text(SAYS["display_name"], none=True)
    ended_at = time(SAYS["ended_at"], none=False)
    sent_at = time(SAYS["sent_at"])
    state = text(SAYS["state"])
    reason = text(SAYS["reason"], none=True)
    updated_at = time(SAYS["updated_at"], none=False)
    language = text(SAYS["language"], none=True)
    test = fields.Boolean(metadata={"description": SAYS["test"]})
    suppressed = fields.Boolean(metadata={"description": SAYS["suppressed"]})
    tags = fields.List(fields.String(), allow_none=True, metadata={"description": SAYS["tags"]})
    channel = text(SAYS["channel"], none=True)
    customer_ref = text(SAYS["customer_ref"], none=True)
    erased_at = time(SAYS["erased_at"])
    way = text(SAYS["way"], none=True)
    agent_name = text(SAYS["agent_name"], none=True)
    team_name = text(SAYS["team_name"], none=True)
    question = text(SAYS["question"], none=True)


class ResultSchema(RequestSchema):
    """The same with the answer."""

    score = number(SAYS["score"], none=True)
    score_at = time(SAYS["score_at"])
    score_after_s = number(SAYS["score_after_s"], none=True)
    score_way = text(SAYS["score_way"], none=True)
    text = text(SAYS["text"], none=True)
    text_at = time(SAYS["text_at"])
    text_after_s = number(SAYS["text_after_s"], none=True)
    update_count = number(SAYS["update_count"])


class ChangedRequestSchema(ResultSchema):
    """A request as it is now, and what that means for a mirror."""

    change = fields.String(
        required=True,
        validate=validate.OneOf(("result", "request", "erased")),
        metadata={"description": "result: answered; request: not answered; erased: the answer is gone, forget it"},
    )


class ChangedPageSchema(Schema):
    """Some changes, the oldest first. There is no end: keep `next_cursor`."""

    items = fields.List(fields.Nested(ChangedRequestSchema))
    next_cursor = text("Where to go on, now or in a year")
    more = fields.Boolean(metadata={"description": "Others are there already"})


class UpdateSchema(Schema):
    """One thing X told us about the card."""

    seen_at = time(none=False)
    x_updated_at = time(none=False)
    channel = text("how it was told us: webhook, events, show, page or dm")
    verdict = text("applied, older or anomaly")
    score_at = time()
    text_at = time()


class ResultDetailSchema(ResultSchema):
    """A result with its history."""

    updates = fields.List(fields.Nested(UpdateSchema))


class TransitionSchema(Schema):
    """One line of a request's life."""

    at = time(none=False)
    from_state = text()
    to_state = text()
    event = text()
    reason = text(none=True)
    detail = text(none=True)
    actor = text()


class RequestDetailSchema(RequestSchema):
    """A request with its life: why it was sent, or why not."""

    transitions = fields.List(fields.Nested(TransitionSchema))


class RequestPageSchema(Schema):
    """Some rows. An empty `next_cursor` is the end; a short page is not."""

    items = fields.List(fields.Nested(RequestSchema))
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


class ErasedSchema(Schema):
    """A tombstone: this answer is gone, forget what you hold of it."""

    request_id = text(SAYS["request_id"])
    erased_at = time(SAYS["erased_at"], none=False)


class ResultPageSchema(RequestPageSchema):
    """Some results."""

    items = fields.List(fields.Nested(ResultSchema))
    erased = fields.List(
        fields.Nested(ErasedSchema),
        metadata={
            "description": "With `updated_since` or a cursor: answers that were erased, at their place in the order"
        },
    )


class NoteSchema(Schema):
    """What a supervisor wrote beside a result."""

    id = text()
    at = time(none=False)
    author = text()
    text = text()


class NotesSchema(Schema):
    """All notes of a result, the oldest first."""

    items = fields.List(fields.Nested(NoteSchema))


class AccessSchema(Schema):
    """Who read comments, exported, or changed something by hand."""

    id = text()
    at = time(none=False)
    actor = text()
    action = text()
    detail = fields.Dict()


class AccessPageSchema(Schema):
    """The newest first."""

    items = fields.List(fields.Nested(AccessSchema))
    next_cursor = text("Empty at the end")
