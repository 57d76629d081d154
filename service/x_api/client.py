"""X's v1.1 endpoints as methods: plain values in, an `XAnswer` with a frozen fact out, or an `XError`.

One call each, nothing repeated, nothing remembered; safe for many threads. The two methods that write to a customer
take `signed_at`, the moment their intent was committed. Limits and permissions are outreach's business.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self
from urllib.parse import quote

import httpx

from service.clock import Clock
from service.x_api.cards import parse_feedback, parse_feedback_page, parse_sent_feedback
from service.x_api.facts import DirectMessage, DmPage, Feedback, FeedbackPage, Friendship, Option, OwnAccount, User
from service.x_api.fields import EPOCH
from service.x_api.oauth1 import Credentials, OAuth1
from service.x_api.oauth2 import Bearer
from service.x_api.parsing import (
    demand_same,
    parse_dm_page,
    parse_friendship,
    parse_identity,
    parse_sent_message,
    parse_user,
)
from service.x_api.texts import clean
from service.x_api.wire import TIMEOUTS, Timeouts, Wire, XAnswer


@dataclass(frozen=True, slots=True)
class Card:
    """A feedback card as X accepts it. `message` is the DM it is attached to; empty optional fields are not sent."""

    type: str
    to_user_id: str
    message: str
    privacy_url: str
    external_id: str | None = None
    question_variant_id: int | None = None
    display_name: str | None = None
    test: bool = False


class XClient:
    """X, seen by one account. Close it, or use it as a context manager."""

    def __init__(
        self,
        credentials: Credentials | Bearer,
        *,
        base_url: str,
        clock: Clock,
        transport: httpx.BaseTransport | None = None,
        patience: Timeouts = TIMEOUTS,
    ) -> None:
        auth = OAuth1(credentials, clock=clock) if isinstance(credentials, Credentials) else credentials
        self._wire = Wire(auth, base_url=base_url, patience=patience, clock=clock, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._wire.close()

    def verify_credentials(self) -> XAnswer[OwnAccount]:
        """Who we are, and what the app may do (`access_level`)."""
        reply = self._wire.get(
            "/1.1/account/verify_credentials.json", {"include_entities": "false", "skip_status": "true"}
        )
        return reply.read(lambda raw: parse_identity(raw, reply.headers.get("x-access-level")))

    def show_user(self, *, user_id: str | None = None, screen_name: str | None = None) -> XAnswer[User]:
        """A user by id or by name (one of them), with `can_dm` if the app may see it."""
        if (user_id is None) == (screen_name is None):
            raise ValueError("Give user_id or screen_name, and not both.")
        reply = self._wire.get("/1.1/users/show.json", _filled(user_id=user_id, screen_name=screen_name))
        return reply.read(lambda raw: the_user(parse_user(raw), user_id, screen_name))

    def show_friendship(self, target_id: str) -> XAnswer[Friendship]:
        """Whether we may write to `target_id`, for apps that do not see `can_dm` on users."""
        reply = self._wire.get("/1.1/friendships/show.json", _filled(target_id=target_id))
        return reply.read(lambda raw: demand_same(parse_friendship(raw), "target_id", target_id))

    def send_dm(
        self, to_user_id: str, text: str, *, signed_at: datetime, options: Sequence[Option] = ()
    ) -> XAnswer[DirectMessage]:
        """Send a Direct Message, with quick replies if there are options (X allows 20).

        `OutcomeUnknown` means: look for it in list_dms, do not send again.
        """
        content = {"text": clean(text), **_quick_reply(options)}
        message = {"target": {"recipient_id": clean(to_user_id)}, "message_data": content}
        body = {"event": {"type": "message_create", "message_create": message}}
        reply = self._wire.send("/1.1/direct_messages/events/new.json", signed_at=signed_at, json=body)
        return reply.read(lambda raw: demand_same(parse_sent_message(raw), "recipient_id", to_user_id))

    def list_dms(self, cursor: str | None = None, count: int = 50) -> XAnswer[DmPage]:
        """A page of the last 30 days, newest first, sent and received mixed; may lag by minutes."""
        fields = _filled(count=str(count), cursor=cursor)
        return self._wire.get("/1.1/direct_messages/events/list.json", fields).read(parse_dm_page)

    def list_dms_with(self, user_id: str, cursor: str | None = None) -> XAnswer[DmPage]:  # noqa: ARG002 - v2 asks by it
        """A page that includes what was sent to this person: v1.1 only has one list for all."""
        return self.list_dms(cursor)

    def create_feedback(self, card: Card, *, signed_at: datetime) -> XAnswer[Feedback]:
        """Send a card; X sends `card.message` as a DM of its own and attaches the card to it."""
        reply = self._wire.send("/1.1/feedback/create.json", signed_at=signed_at, form=_form(card))
        return reply.read(lambda raw: demand_same(parse_sent_feedback(raw), "to_user_id", card.to_user_id))

    def show_feedback(self, feedback_id: str) -> XAnswer[Feedback]:
        """A card and its answer so far, without the 24-hour delay of events."""
        return self._wire.get(f"/1.1/feedback/show/{quote(feedback_id, safe='')}.json").read(parse_feedback)

    def list_feedback_events(
        self, *, from_time: datetime, to_time: datetime, cursor: str | None = None, count: int = 100
    ) -> XAnswer[FeedbackPage]:
        """Events between two times (inclusive, `to_time` at least 24 h ago). Later pages send only the cursor."""
        fields = (
            {"count": str(count), "cursor": cursor} if cursor else {**_range(from_time, to_time), "count": str(count)}
        )
        return self._wire.get("/1.1/feedback/events.json", fields).read(parse_feedback_page)


def the_user(told: User, user_id: str | None, screen_name: str | None) -> User:
    """The user X told of, if it is the one who was asked for by id or by name."""
    return demand_same(demand_same(told, "id", user_id), "screen_name", screen_name)


def _quick_reply(options: Sequence[Option]) -> dict[str, Any]:
    if not options:
        return {}
    shown = [{"label": clean(each.label), "metadata": clean(each.metadata)} for each in options]
    return {"quick_reply": {"type": "options", "options": shown}}


def _form(card: Card) -> dict[str, str]:
    variant = None if card.question_variant_id is None else str(card.question_variant_id)
    return _filled(
        type=card.type,
        to_user_id=card.to_user_id,
        message=card.message,
        privacy_url=card.privacy_url,
        external_id=card.external_id,
        question_variant_id=variant,
        display_name=card.display_name,
        test="true" if card.test else "false",
    )


def _range(from_time: datetime, to_time: datetime) -> dict[str, str]:
    return {"from_time": _milliseconds(from_time), "to_time": _milliseconds(to_time)}


def _milliseconds(when: datetime) -> str:
    if when.tzinfo is None:
        raise ValueError("X counts from an instant: give an aware datetime.")
    return str((when - EPOCH) // timedelta(milliseconds=1))


def _filled(**fields: str | None) -> dict[str, str]:
    """Drop empty fields: X reads them as values, and refuses some."""
    return {name: clean(value) for name, value in fields.items() if value}
