"""Feeds over the API: saved questions are created, listed and ended with a key, and read by their own address.

    =IMPORTDATA("https://feedback.example.com/v1/feeds/4f2c9d0a11be/SECRET.csv")

Whoever has the address reads aggregates by an analyst's rules and nothing else. It appears in no log of ours.
"""

from dataclasses import asdict
from typing import Any

import flask
from marshmallow import Schema, fields

from service.auth import declares, feeds, log_access
from service.auth.feeds import SavedFeed
from service.db import reading, writing
from service.errors import Conflict
from service.reports.api.routes import EVERYTHING, Routes
from service.reports.api.schemas import text, time
from service.reports.figures import saved
from service.reports.figures.saved import SavedSchema
from service.reports.report_query import ReportQuery
from service.reports.roles import READERS_OF_ANSWERS
from service.web import a_slot, reads
from service.web.idempotency import PARAMETER, once
from service.web.parameters import StrictSchema
from service.web.replica_lag import read

PATH = "/v1/feeds/{id}/{secret}.csv"
SAYS = (
    "The figure as CSV, by the rules of an analyst: whole releases only. The address is the key; never cached, and no "
    "log of ours has it. Keep it out of your proxy's too."
)


class FeedSchema(Schema):
    """A feed, without its secret."""

    id = text("Stands in its address, and ends it")
    name = text("Who or what reads it")
    question = fields.Dict(metadata={"description": "As it was saved"})
    accounts = fields.List(fields.String(), metadata={"description": "What it reads of; empty: every account"})
    created_at = time("When it was made", none=False)
    created_by = text("The key that made it")
    last_used_at = time("To the minute; null: never yet")
    revoked_at = time("null: it is read")


class MadeFeedSchema(FeedSchema):
    """A feed that has just been made."""

    address = text("Shown this once: whoever has it reads the feed")


class FeedsSchema(Schema):
    """All feeds of the accounts that the key covers, the newest first."""

    items = fields.List(fields.Nested(FeedSchema))


class NewFeedSchema(StrictSchema):
    """What to save."""

    name = fields.String(
        required=True,
        metadata={"description": "Who or what reads it; 1 to 64 characters", "minLength": 1, "maxLength": 64},
    )
    question = fields.Nested(SavedSchema, required=True)


def address_of(public_url: str, feed: SavedFeed, secret: str) -> str:
    """Return the whole address of a feed."""
    return public_url.rstrip("/") + PATH.format(id=feed.id, secret=secret)


def add(routes: Routes) -> None:
    """Register the views."""
    _add_kept(routes)
    _add_made(routes)
    _add_read(routes)


def _add_kept(routes: Routes) -> None:
    @routes.get("/feeds", StrictSchema, FeedsSchema, READERS_OF_ANSWERS, "Saved questions with an address.")
    def list_feeds(_asked: dict[str, Any]) -> dict[str, Any]:
        with reading(routes.engine) as connection:
            return {"items": feeds.listed(connection, routes.reader)}

    @routes.pages.route("/feeds/<feed_id>", methods=["DELETE"])
    @routes.guard.requires(*READERS_OF_ANSWERS)
    @routes.pages.response(204, description="Its address is answered 404 from now on")
    @routes.pages.doc(operationId="revoke_feed", summary="End a feed at once.")
    def revoke_feed(feed_id: str) -> None:
        now = routes.clock()
        with writing(routes.engine) as connection:
            feeds.revoke(connection, feed_id, routes.reader, now)
            log_access(connection, routes.reader.actor, "feed.revoke", {"feed": feed_id}, now)


def _add_made(routes: Routes) -> None:
    @routes.pages.route("/feeds", methods=["POST"])
    @routes.guard.requires(*READERS_OF_ANSWERS)
    @reads
    @routes.pages.arguments(NewFeedSchema)
    @routes.pages.response(201, MadeFeedSchema)
    @routes.pages.doc(
        operationId="create_feed", summary="Save a question and get an address for it.", parameters=[PARAMETER]
    )
    def create_feed(asked: dict[str, Any]) -> dict[str, Any]:
        question, reader, now = flask.request.get_json()["question"], routes.reader, routes.clock()
        saved.demand(routes.engine, routes.settings, reader.accounts, question, now)
        with writing(routes.engine) as connection:
            call = once(connection, reader.key_id)
            if call.before(now) is not None:
                raise Conflict(
                    "feed_made_already",
                    "This Idempotency-Key has already created its feed, and the address was shown then. Revoke that "
                    "feed and create another.",
                )
            made, secret = feeds.create(connection, asked["name"], question, reader.accounts, reader.actor, now)
            log_access(connection, reader.actor, "feed.create", {"feed": made.id, "question": question}, now)
            call.after(made.id)
        return {**asdict(made), "address": address_of(routes.settings.service.public_url, made, secret)}


def _add_read(routes: Routes) -> None:
    answers = {"200": {"description": "The figure", "content": {"text/csv": {"schema": {"type": "string"}}}}}

    @routes.pages.route("/feeds/<feed_id>/<secret>.csv", methods=["GET"])
    @routes.pages.doc(
        operationId="read_feed", summary="The answer to a saved question.", description=SAYS, responses=answers,
        security=[],
    )  # fmt: skip
    @declares("the feed's own secret, in its address")
    def read_feed(feed_id: str, secret: str) -> flask.Response:
        now = routes.clock()
        with reading(routes.engine) as connection:
            feed = feeds.find(connection, feed_id, secret)
        routes.guard.count(feed.reader, lambda connection, at: feeds.seen(connection, feed.id, at))
        with a_slot():
            who = (routes.settings, feed.reader, EVERYTHING, now)
            body = read(routes.engine, lambda connection: saved.answer(ReportQuery(connection, *who), feed.question))
        response = flask.Response(body, content_type="text/csv; charset=utf-8")
        response.headers["Referrer-Policy"] = "no-referrer"  # nowhere else does the address go from here
        return response
