"""X's v2 endpoints for users and Direct Messages, under the same method names as `client`.

The same promises: one call each, nothing repeated. v2 has no quick replies. To find an unclear send, one reads the
conversation with that one person.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from service.x_api.client import XClient, the_user
from service.x_api.facts import DirectMessage, DmPage, Friendship, Option, OwnAccount, ParseProblem, User
from service.x_api.fields import date_or_none, identifier, plain, word, yes_or_no
from service.x_api.parsing import ASKED_OTHERWISE, each, mapping, written
from service.x_api.texts import clean
from service.x_api.wire import XAnswer

SHOWN = {"user.fields": "receives_your_dm,username"}
LISTED = {
    "dm_event.fields": "id,event_type,text,sender_id,created_at,entities,dm_conversation_id",
    "event_types": "MessageCreate",
}


class XClientV2(XClient):
    """X's v2, seen by one account. Cards stay on v1.1, where X has them, for accounts with OAuth 1.0a."""

    def verify_credentials(self) -> XAnswer[OwnAccount]:
        """Who we are. v2 does not say what the app may do."""
        return self._wire.get("/2/users/me").read(_identity)

    def show_user(self, *, user_id: str | None = None, screen_name: str | None = None) -> XAnswer[User]:
        """A user by id or by name (one of them), with `receives_your_dm` as `can_dm`."""
        if (user_id is None) == (screen_name is None):
            raise ValueError("Give user_id or screen_name, and not both.")
        path = _part(user_id) if screen_name is None else f"by/username/{_part(screen_name)}"
        return self._wire.get(f"/2/users/{path}", SHOWN).read(lambda raw: the_user(_user(raw), user_id, screen_name))

    def show_friendship(self, target_id: str) -> XAnswer[Friendship]:
        """Whether we may write to `target_id`."""
        shown = self.show_user(user_id=target_id)
        return XAnswer(Friendship(shown.value.can_dm, shown.value.id), shown.rate, shown.dated)

    def send_dm(
        self, to_user_id: str, text: str, *, signed_at: datetime, options: Sequence[Option] = ()
    ) -> XAnswer[DirectMessage]:
        """Send a Direct Message. `OutcomeUnknown` means: look for it with list_dms_with, do not send again."""
        if options:
            raise ValueError("v2 has no quick replies.")
        path = f"/2/dm_conversations/with/{_part(to_user_id)}/messages"
        return self._wire.send(path, signed_at=signed_at, json={"text": clean(text)}).read(
            lambda raw: _sent(raw, to_user_id)
        )

    def list_dms_with(self, user_id: str, cursor: str | None = None, count: int = 100) -> XAnswer[DmPage]:
        """A page of the conversation with one person, newest first, sent and received mixed."""
        fields = {**LISTED, "max_results": str(count), **({"pagination_token": cursor} if cursor else {})}
        reply = self._wire.get(f"/2/dm_conversations/with/{_part(user_id)}/dm_events", fields)
        return reply.read(lambda raw: _page(raw, user_id))


def _part(value: str | None) -> str:
    """A part of a path: only digits, letters and underscores, as in X's ids and names."""
    text = clean(value or "")
    if not text.isascii() or not text.replace("_", "").isalnum():
        raise ValueError("This is no id and no name of X.")
    return text


def _data(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    return mapping(mapping(raw, "body").get("data"), "data")


def _user(raw: Mapping[str, Any]) -> User:
    said = _data(raw)
    return User(identifier(said.get("id"), "id"), word(said.get("username")), yes_or_no(said.get("receives_your_dm")))


def _identity(raw: Mapping[str, Any]) -> OwnAccount:
    user = _user(raw)
    return OwnAccount(user.id, user.screen_name)


def _sent(raw: Mapping[str, Any], to_user_id: str) -> DirectMessage:
    return DirectMessage(identifier(_with(to_user_id, _data(raw)).get("dm_event_id"), "dm_event_id"))


def _with(user_id: str, said: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same, unless it is of a conversation with somebody else: that of two is named after both."""
    both = (plain(said.get("dm_conversation_id")) or "").split("-")
    if len(both) > 1 and user_id not in both:
        raise ParseProblem("dm_conversation_id", ASKED_OTHERWISE)
    return said


def _page(raw: Mapping[str, Any], user_id: str) -> DmPage:
    """A conversation without messages has no `data` at all, but `meta`."""
    body = mapping(raw, "body")
    listed = body.get("data", [] if "meta" in body else None)
    events, problems = each({"events": listed, "errors": body.get("errors")}, lambda entry: _event(entry, user_id))
    meta = body.get("meta")
    return DmPage(events, plain(meta.get("next_token")) or None if isinstance(meta, Mapping) else None, problems)


def _event(raw: Mapping[str, Any], user_id: str) -> DirectMessage:
    """v2 only names the sender: what they did not write they received. Without one it may be any message: a problem."""
    entry = _with(user_id, mapping(raw, "event"))
    sender_id = plain(entry.get("sender_id"))
    if not sender_id:
        raise ParseProblem("sender_id", "This is not an id.")
    text, raw_text = written(entry.get("text"), entry.get("entities"))
    return DirectMessage(
        id=identifier(entry.get("id"), "id"),
        sender_id=sender_id,
        recipient_id=None if sender_id == user_id else user_id,
        text=text,
        raw_text=raw_text,
        created_at=date_or_none(entry.get("created_at")),
    )
