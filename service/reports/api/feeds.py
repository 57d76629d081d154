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
    "Returns the figure as CSV, under the rules for analysts: complete releases only. The URL itself is "
    "the credential. The response must not be cached, and our logs never contain the URL. Keep it out of "
    "your proxy's logs too."
)


class FeedSchema(Schema):
    """A feed, without its secret."""

    id = text("The feed's id: part of its URL, and used to revoke it")
    name = text("Who or what reads the feed")
    question = fields.Dict(metadata={"description": "The question as it was saved"})
    accounts = fields.List(fields.String(), metadata={"description": "The X accounts it covers. Empty: all accounts"})
    created_at = time("When it was created", none=False)
    created_by = text("The key that created it")
    last_used_at = time("When it was last read, to the minute. null: never")
    revoked_at = time("When it was revoked. null: it is active")


class MadeFeedSchema(FeedSchema):
    """A feed that has just been made."""

    address = text("The feed's URL, shown only in this response. Anyone who has it can read the feed")


class FeedsSchema(Schema):
    """All feeds of the accounts that the key covers, the newest first."""

    items = fields.List(fields.Nested(FeedSchema))


SHOWN_ONCE = (
    "Your own id for this call. If you repeat the call within a day, it creates nothing and is refused (409), because "
    "the address is shown once"
)


class NewFeedSchema(StrictSchema):
    """What to save."""

    name = fields.String(
        required=True,
        metadata={"description": "Who or what reads the feed. 1 to 64 characters", "minLength": 1, "maxLength": 64},
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
    @routes.get(
        "/feeds", StrictSchema, FeedsSchema, READERS_OF_ANSWERS, "List feeds: saved questions, each with its own URL."
    )
    def list_feeds(_asked: dict[str, Any]) -> dict[str, Any]:
        with reading(routes.engine) as connection:
            return {"items": feeds.listed(connection, routes.reader)}

    @routes.pages.route("/feeds/<feed_id>", methods=["DELETE"])
    @routes.guard.requires(*READERS_OF_ANSWERS)
    @routes.pages.response(204, description="Revoked. Its URL now returns 404")
    @routes.pages.doc(operationId="revoke_feed", summary="Revoke a feed, with immediate effect.")
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
        operationId="create_feed",
        summary="Create a feed: save a question and get a URL that answers it.",
        parameters=[{**PARAMETER, "description": SHOWN_ONCE}],
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
    answers = {"200": {"description": "The figure as CSV", "content": {"text/csv": {"schema": {"type": "string"}}}}}

    @routes.pages.route("/feeds/<feed_id>/<secret>.csv", methods=["GET"])
    @routes.pages.doc(
        operationId="read_feed", summary="Read a feed: the answer to a saved question.", description=SAYS,
        responses=answers, security=[],
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
