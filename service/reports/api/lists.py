"""Rows over the API: results, requests and notes for supervisors and admins, the access log for admins.

Every reading of answers or notes is logged; requests, which hold no answer, are read without.
"""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from service.auth import access
from service.db import EPOCH, reading, writing
from service.models import result_update, transition
from service.reports.api import row_schemas, schemas
from service.reports.api.routes import Routes, link_next
from service.reports.report_query import ReportQuery
from service.reports.roles import READERS_OF_ANSWERS
from service.reports.rows import changes, notes, query
from service.reports.rows.changes import ChangePosition
from service.reports.rows.cursor import Bookmark, Cursors, SignedText, cursors
from service.reports.rows.order import Kind, Order
from service.reports.rows.position import Page, Position
from service.reports.rows.row import COLUMNS, Row, objects_of
from service.reports.visible import cutoff
from service.web.idempotency import PARAMETER, once
from service.web.parameters import StrictSchema

ALL_SEEN = timedelta(minutes=1)  # where nothing is held back: whatever was told until now, by any clock of ours
tr = transition.c
upd = result_update.c


def add(routes: Routes) -> None:
    """Register the views."""
    _add_rows(routes)
    _add_notes(routes)
    _add_access_log(routes)


def _add_rows(routes: Routes) -> None:
    supervisors = READERS_OF_ANSWERS

    @routes.get("/results", schemas.PageSchema, row_schemas.ResultPageSchema, supervisors, "List answered requests.")
    def list_results(asked: dict[str, Any]) -> dict[str, Any]:
        return _page(routes, asked, "results")

    @routes.get("/requests", schemas.PageSchema, row_schemas.RequestPageSchema, supervisors, "List all requests.")
    def list_requests(asked: dict[str, Any]) -> dict[str, Any]:
        return _page(routes, asked, "requests")

    @routes.get("/results/<request_id>", StrictSchema, row_schemas.ResultDetailSchema, supervisors, "Get one result.")
    def get_result(_asked: dict[str, Any], request_id: str) -> dict[str, Any]:
        now = routes.clock()
        until = cutoff(routes.settings, now) or now + ALL_SEEN
        wanted = sa.select(result_update).where(upd.request_id == request_id, upd.seen_at < until).order_by(upd.id)
        with reading(routes.engine) as connection:
            row = query.get(routes.query(connection), request_id)
            updates = connection.execute(wanted).all()
        routes.log("results.read", {"request_id": request_id, "with_text": row.text is not None})
        return {**asdict(row), "updates": updates}

    @routes.get(
        "/requests/<request_id>",
        StrictSchema,
        row_schemas.RequestDetailSchema,
        supervisors,
        "Get one request and its history: why it was sent, or why not.",
    )
    def get_request(_asked: dict[str, Any], request_id: str) -> dict[str, Any]:
        wanted = sa.select(transition).where(tr.request_id == request_id).order_by(tr.id)
        with reading(routes.engine) as connection:
            row = query.get(routes.query(connection), request_id, "requests")
            return {**asdict(row), "transitions": connection.execute(wanted).all()}


def _add_notes(routes: Routes) -> None:
    path = "/results/<request_id>/notes"

    @routes.get(path, StrictSchema, row_schemas.NotesSchema, READERS_OF_ANSWERS, "List the notes on a result.")
    def list_notes(_asked: dict[str, Any], request_id: str) -> dict[str, Any]:
        with reading(routes.engine) as connection:
            query.get(routes.query(connection), request_id)
            found = notes.listed(connection, request_id)
        routes.log("notes.read", {"request_id": request_id, "notes": len(found)})
        return {"items": found}

    @routes.pages.route(path, methods=["POST"])
    @routes.guard.requires(*READERS_OF_ANSWERS)
    @routes.pages.arguments(schemas.NewNoteSchema)
    @routes.pages.response(201, row_schemas.NoteSchema)
    @routes.pages.doc(operationId="add_note", summary="Add a note to a result.", parameters=[PARAMETER])
    def add_note(asked: dict[str, Any], request_id: str) -> notes.ReviewNote:
        found_result(routes, request_id)
        now, actor = routes.clock(), routes.reader.actor
        with writing(routes.engine) as connection:
            call = once(connection, routes.reader.key_id)
            known = call.before(now)
            if known is not None:
                return notes.one(connection, request_id, known)
            note = notes.add(connection, request_id, actor, asked["text"], now)
            detail = {"request_id": request_id, "characters": len(note.text)}
            access.log_access(connection, actor, "notes.add", detail, now)
            call.after(note.id)
        return note


def _add_access_log(routes: Routes) -> None:
    @routes.get(
        "/access-log",
        schemas.PlaceSchema,
        row_schemas.AccessPageSchema,
        ("admin",),
        "List the access log: who read or changed what.",
    )
    def access_log(asked: dict[str, Any]) -> dict[str, Any]:
        routes.reader.demand_all()
        place = Cursors(SignedText(routes.settings.service.secret_key, "access-log"))
        after = place.read(asked["cursor"])
        with reading(routes.engine) as connection:
            found = access.listed(connection, None if after is None else int(after.id), asked["limit"] + 1)
        shown = found[: asked["limit"]]
        last = Position(EPOCH, str(shown[-1].id)) if len(found) > len(shown) else None
        return {"items": shown, "next_cursor": place.write(last)}


def _page(routes: Routes, asked: dict[str, Any], kind: Kind) -> dict[str, Any]:
    wanted, sort = routes.filter(asked), asked["sort"]
    order = Order(sort.removeprefix("-"), kind, sort.startswith("-"))
    known = cursors(routes.settings.service.secret_key, routes.reader, wanted, order)
    place = known.place(asked["cursor"])
    with reading(routes.engine) as connection:
        if place is not None and place.position is None:
            page, on, resume = _changed(routes.query(connection, wanted), kind, place.begun, asked["limit"], known)
        else:
            page, on, resume = _next(routes.query(connection, wanted), order, place, asked["limit"], known)
    link_next(on)
    if kind == "results":
        routes.log("results.list", {"filter": wanted.logged(), "rows": len(page.columns[0]), "on": place is not None})
    names = COLUMNS if kind == "results" else row_schemas.WITHOUT_ANSWER
    told = {
        "items": objects_of(page.columns, names), "next_cursor": on, "resume_cursor": resume,
        "withheld": page.withheld, "left": page.left,
    }  # fmt: skip
    return told if kind == "requests" else {**told, "erased": page.erased}


def _next(
    asked: ReportQuery, order: Order, place: Bookmark | None, limit: int, known: Cursors
) -> tuple[Page, str, str]:
    """A page of a full read. The last one returns the place it began at, from which to read what changed meanwhile."""
    begun = changes.begun(asked) if place is None else place.begun
    after = None if place is None else place.position
    tombstones = place is not None or asked.filter.updated_since is not None
    page = query.rows(asked, order, after=after, limit=limit, tombstones=tombstones)
    return page, known.write(page.next, begun), known.resume(begun) if page.next is None else ""


def _changed(
    asked: ReportQuery, kind: Kind, begun: ChangePosition, limit: int, known: Cursors
) -> tuple[Page, str, str]:
    """A page of what has changed since."""
    found, page = changes.resumed(asked, kind, begun, limit)
    cursor = known.resume(found.next)
    return (page, cursor, "") if found.more else (page, "", cursor)


def found_result(routes: Routes, request_id: str) -> Row:
    """Return an answer. Raises NotFound for one this reader may not know of."""
    with reading(routes.engine) as connection:
        return query.get(routes.query(connection), request_id)
