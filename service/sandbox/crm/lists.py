"""Each vendor's list of ended conversations, in its own form, from its documentation.

/_control/ended says what has ended; nothing here knows what the service reads.
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from service.sandbox.crm.people import Crms, Ended

Query = Mapping[str, str]
Tell = Callable[[Crms, Query, Any], Any]


@dataclass(frozen=True, slots=True)
class ListOf:
    """One list: the end of its path, its method, and what it answers; None: the question is wrong."""

    path: str
    tell: Tell
    method: str = "GET"


@dataclass(frozen=True, slots=True)
class _Cut:
    """Some of a list, and where the rest begins; None: nowhere."""

    items: Sequence[Ended]
    next: int | None
    pages: int


def _cut(crms: Crms, found: Sequence[Ended], start: int, size: int) -> _Cut:
    size = min(size, crms.page)
    end = start + size
    return _Cut(found[start:end], end if end < len(found) else None, max(1, -(-len(found) // size)))


def _since(crms: Crms, moment: float, *, newest_first: bool = False) -> list[Ended]:
    with crms.lock:
        found = [each for each in crms.ended if each.at >= moment]
    return sorted(found, key=lambda each: (each.at, each.conversation), reverse=newest_first)


def _iso(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _moment(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def _word(start: int) -> str:
    """A cursor: a word that means nothing to anybody else."""
    return base64.b64encode(f"after|{start}".encode()).decode()


def _start(word: str) -> int | None:
    try:
        return int(base64.b64decode(word, validate=True).decode().removeprefix("after|"))
    except (ValueError, binascii.Error):
        return None


def _zendesk(crms: Crms, query: Query, _body: Any) -> Any:
    """A cursor goes on where it was given out; start_time is for the first page."""
    cursor, begin = query.get("cursor"), query.get("start_time", "")
    start = 0 if cursor is None else _start(cursor)
    if start is None or not (cursor or begin.isdecimal()):
        return None
    found = _cut(crms, _since(crms, float(crms.begun if cursor else begin)), start, int(query.get("per_page", "1000")))
    if cursor is None:
        crms.begun = int(begin)
    word = _word(found.next or start + len(found.items))
    return {
        "tickets": [_zendesk_ticket(crms, each) for each in found.items],
        "after_cursor": word, "after_url": f"https://example.zendesk.com/?cursor={word}",
        "end_of_stream": found.next is None,
    }  # fmt: skip


def _zendesk_ticket(crms: Crms, each: Ended) -> Any:
    on_x = crms.was_on_x(each)
    return {
        "id": int(each.conversation), "status": "solved", "assignee_id": each.agent, "group_id": 77,
        "requester_id": each.number, "tags": list(each.tags), "subject": "a question", "updated_at": _iso(each.at + 60),
        "via": {"channel": "sunshine_conversations_twitter_dm" if on_x else 4, "source": {"from": {}, "rel": None}},
        "metric_set": {"solved_at": _iso(each.at), "status_updated_at": _iso(each.at), "reopens": 0},
    }  # fmt: skip


def _intercom(crms: Crms, _query: Query, body: Any) -> Any:
    """The one question that is understood: closed ones, closed after a moment."""
    wanted = {each["field"]: each["value"] for each in body["query"]["value"]}
    after = body["pagination"].get("starting_after")
    start = 0 if after is None else _start(after)
    if wanted.get("state") != "closed" or start is None:
        return None
    found = _cut(crms, _since(crms, wanted["statistics.last_close_at"] + 1), start, body["pagination"]["per_page"])
    following = None if found.next is None else {"page": 2, "starting_after": _word(found.next)}
    pages = {"type": "pages", "page": 1, "per_page": len(found.items), "total_pages": found.pages}
    return {
        "type": "conversation.list",
        "conversations": [_intercom_one(each) for each in found.items],
        "pages": {**pages, **({"next": following} if following else {})},
    }


def _intercom_one(each: Ended) -> Any:
    return {
        "type": "conversation", "id": each.conversation, "state": "closed", "open": False,
        "updated_at": int(each.at) + 60, "statistics": {"last_close_at": int(each.at), "count_reopens": 0},
        "admin_assignee_id": each.agent, "team_assignee_id": None, "ai_agent_participated": False,
        "tags": {"type": "tag.list", "tags": [{"type": "tag", "id": "1", "name": name} for name in each.tags]},
        "source": {"type": "twitter", "body": "<p>hi</p>"}, "custom_attributes": {},
        "contacts": {"type": "contact.list", "contacts": [{"type": "contact", "id": each.customer}]},
    }  # fmt: skip


def _chatwoot(crms: Crms, query: Query, _body: Any) -> Any:
    """The newest first, 25 a page."""
    if query.get("status") != "resolved":
        return None
    size = min(25, crms.page)
    found = _cut(crms, _since(crms, 0, newest_first=True), (int(query.get("page", "1")) - 1) * size, size)
    listed = [_chatwoot_one(crms, each) for each in found.items]
    return {"data": {"meta": {"all_count": len(crms.ended)}, "payload": listed}}


def _chatwoot_one(crms: Crms, each: Ended) -> Any:
    person = crms.people.get(each.customer)
    source_id = person.x_user_id if person else "5a1e6f6e-0000-4000-8000-000000000001"
    return {
        "id": int(each.conversation), "account_id": 1, "status": "resolved", "labels": list(each.tags),
        "last_activity_at": int(each.at), "timestamp": int(each.at), "additional_attributes": {}, "inbox_id": 7,
        "messages": [{"id": 1, "conversation": {"contact_inbox": {"source_id": source_id}}}],
        "meta": {
            "sender": {"id": each.number, "additional_attributes": {}}, "channel": "Channel::TwitterProfile",
            "assignee": {"id": each.agent, "name": "An agent"}, "hmac_verified": False,
        },
    }  # fmt: skip


def _front(crms: Crms, query: Query, _body: Any) -> Any:
    """Events, the newest first, 15 a page at most; the next page is an address."""
    token, size = query.get("page_token"), int(query.get("limit", "15"))
    if size > 15:  # noqa: PLR2004 - as documented
        return None
    start = 0 if token is None else int(token)
    found = _cut(crms, _since(crms, float(query.get("q[after]", "0")), newest_first=True), start, size)
    following = f"https://example.api.frontapp.com/events?limit={size}&page_token={found.next}&q=x"
    return {
        "_pagination": {"next": None if found.next is None else following},
        "_results": [_front_one(crms, each) for each in found.items],
    }


def _front_one(crms: Crms, each: Ended) -> Any:
    link = f"https://example.api.frontapp.com/contacts/{each.customer}"
    person = crms.people.get(each.customer)
    recipient = {"handle": person.handle if person else None, "role": "from", "_links": {"related": {"contact": link}}}
    about = {"id": each.conversation, "recipient": recipient, "tags": [{"name": name} for name in each.tags]}
    about |= {"assignee": {"id": str(each.agent)}}
    return {"id": f"evt_{each.conversation}_{int(each.at)}", "type": "archive", "emitted_at": each.at,
            "conversation": about}  # fmt: skip


def _helpscout(crms: Crms, query: Query, _body: Any) -> Any:
    since = _moment(query.get("modifiedSince", ""))
    if query.get("status") != "closed" or since is None:
        return None
    number, size = int(query.get("page", "1")), min(25, crms.page)
    found = _cut(crms, _since(crms, since), (number - 1) * size, size)
    return {
        "_embedded": {"conversations": [_helpscout_one(each) for each in found.items]},
        "page": {"size": size, "totalPages": found.pages, "number": number},
    }


def _helpscout_one(each: Ended) -> Any:
    return {
        "id": int(each.conversation), "status": "closed", "closedAt": _iso(each.at), "closedBy": each.agent,
        "assignee": {"id": each.agent}, "tags": [{"id": 1, "tag": name} for name in each.tags], "mailboxId": 85,
        "source": {"type": "api", "via": "customer"}, "primaryCustomer": {"id": each.number}, "customFields": [],
    }  # fmt: skip


def _freshdesk(crms: Crms, query: Query, _body: Any) -> Any:
    since = _moment(query.get("updated_since", ""))
    if since is None:
        return None
    size = min(int(query.get("per_page", "30")), crms.page)
    found = _cut(crms, _since(crms, since), (int(query.get("page", "1")) - 1) * size, size)
    return [_freshdesk_one(crms, each) for each in found.items]


def _freshdesk_one(crms: Crms, each: Ended) -> Any:
    stats = {"resolved_at": _iso(each.at), "closed_at": None}
    return {
        "id": int(each.conversation), "status": 4, "source": 5 if crms.was_on_x(each) else 1, "group_id": 77,
        "requester_id": each.number, "responder_id": each.agent, "tags": list(each.tags), "stats": stats,
        "updated_at": _iso(each.at + 60),
    }  # fmt: skip


LISTS: Mapping[str, ListOf] = {
    "zendesk": ListOf("/api/v2/incremental/tickets/cursor.json", _zendesk),
    "intercom": ListOf("/conversations/search", _intercom, "POST"),
    "chatwoot": ListOf("/conversations", _chatwoot),
    "front": ListOf("/events", _front),
    "helpscout": ListOf("/v2/conversations", _helpscout),
    "freshdesk": ListOf("/api/v2/tickets", _freshdesk),
}


def list_of(vendor: str, path: str, method: str) -> Tell | None:
    """Return what answers for a vendor's list; None: the path is no list of its."""
    found = LISTS.get(vendor)
    return found.tell if found is not None and path.endswith(found.path) and method == found.method else None
