"""Notes on the time line over the API: whoever reads figures reads them, supervisors write them.

Each change is in the access log, its words are not.
"""

from typing import Any

from marshmallow import fields

from service.auth import log_access
from service.db import reading, writing
from service.reports import timeline
from service.reports.api.routes import Routes
from service.reports.api.schemas import text, time
from service.reports.query_values import Word
from service.reports.roles import EVERYBODY, READERS_OF_ANSWERS
from service.web.idempotency import PARAMETER, once
from service.web.parameters import StrictSchema


class TimelineAskSchema(StrictSchema):
    """Which days."""

    since = fields.Date(metadata={"description": "First day, e.g. 2026-11-01"})
    until = fields.Date(metadata={"description": "End of the period: the day after the last day"})


class NewTimelineNoteSchema(StrictSchema):
    """What happened on a day."""

    day = fields.Date(
        required=True,
        metadata={"description": "The day, in the service's time zone, e.g. 2026-11-22. May be in the future"},
    )
    text = text(f"1 to {timeline.LONGEST} characters. Analysts can read it, so do not quote customers", required=True)
    account = Word("The X account. Without it, all accounts", load_default=None, allow_none=True)


class TimelineNoteSchema(NewTimelineNoteSchema):
    """A note as it stands in the charts."""

    id = text("The note's id, used to remove it")
    author = text("The name of the key that wrote it")
    at = time("When it was written", none=False)


class TimelineSchema(StrictSchema):
    """The notes of every account the key covers, the newest day first."""

    items = fields.List(fields.Nested(TimelineNoteSchema))


def add(routes: Routes) -> None:
    """Register the views."""

    @routes.get(
        "/timeline",
        TimelineAskSchema,
        TimelineSchema,
        EVERYBODY,
        "List notes on the timeline, such as launches and outages.",
    )
    def list_timeline(asked: dict[str, Any]) -> dict[str, Any]:
        with reading(routes.engine) as connection:
            view = routes.query(connection).view
            return {"items": timeline.listed(connection, view.accounts, asked.get("since"), asked.get("until"))}

    _add_made(routes)

    @routes.pages.route("/timeline/<note_id>", methods=["DELETE"])
    @routes.guard.requires(*READERS_OF_ANSWERS)
    @routes.pages.response(204, description="Removed from all charts")
    @routes.pages.doc(operationId="remove_timeline_note", summary="Remove a note from the timeline.")
    def remove_timeline_note(note_id: str) -> None:
        with writing(routes.engine) as connection:
            gone = timeline.remove(connection, routes.reader, note_id)
            log_access(connection, routes.reader.actor, "timeline.remove", timeline.logged(gone), routes.clock())


def _add_made(routes: Routes) -> None:
    @routes.pages.route("/timeline", methods=["POST"])
    @routes.guard.requires(*READERS_OF_ANSWERS)
    @routes.pages.arguments(NewTimelineNoteSchema)
    @routes.pages.response(201, TimelineNoteSchema)
    @routes.pages.doc(operationId="add_timeline_note", summary="Add a note to the timeline.", parameters=[PARAMETER])
    def add_timeline_note(asked: dict[str, Any]) -> timeline.TimelineNote:
        now, reader = routes.clock(), routes.reader
        with writing(routes.engine) as connection:
            call = once(connection, reader.key_id)
            known = call.before(now)
            if known is not None:
                return timeline.one(connection, reader, known)
            told = (asked["day"], asked["text"], asked["account"])
            note = timeline.add(connection, routes.settings, reader, *told, now)
            log_access(connection, reader.actor, "timeline.add", timeline.logged(note), now)
            call.after(note.id)
        return note
