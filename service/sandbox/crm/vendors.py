"""Each vendor's API, a table: which path answers what about a person. From the vendors' documentation.

A path has one `{word}` for the id that is asked for; other gaps are `{}`. Nothing here knows what the service reads.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from service.sandbox.crm import sign_in
from service.sandbox.crm.people import Crms, Known
from service.sandbox.crm.sign_in import SignIn

Tell = Callable[[Known, str, Mapping[str, str]], Any]
Headers = Callable[[int, int], Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class VendorPath:
    """One path, what the id in it names (`customer` or `conversation`), and what is told of that person."""

    path: str
    tell: Tell

    def person(self, crms: Crms, path: str) -> tuple[Known | None, str] | None:
        """Whom this path asks for; None: another path."""
        parts = re.split(r"(\{\w*\})", self.path)
        pattern = "".join("([^/]+)" if n % 2 and part != "{}" else "[^/]+" if n % 2 else re.escape(part)
                          for n, part in enumerate(parts))  # fmt: skip
        found = re.fullmatch(pattern, path)
        if found is None:
            return None
        by = crms.by_conversation if "{conversation}" in self.path else crms.by_customer
        return by(found[1]), found[1]


@dataclass(frozen=True, slots=True)
class Vendor:
    """How a vendor lets in, what it tells, how it says "not so fast" (seconds, now), and where tokens are had.

    `used_up` where a limit is no 429: its status and its body.
    """

    may_ask: SignIn
    routes: tuple[VendorPath, ...]
    slower: Headers
    token_path: str | None = None
    used_up: tuple[int, Any] = (429, {"error": "too many requests"})


def retry_after(seconds: int, _now: int) -> Mapping[str, str]:
    """As most do."""
    return {"Retry-After": str(seconds)}


def silent(_seconds: int, _now: int) -> Mapping[str, str]:
    """As some do: no word about when."""
    return {}


def _zendesk_ticket(person: Known, asked: str, _query: Mapping[str, str]) -> Any:
    address = f"https://x.com/{person.handle}" if person.handle else None
    who = {"username": person.handle, "profile_url": address, "name": "A customer"}
    source: dict[str, Any] = {"rel": "direct_message", "from": who} if person.on_x else {"rel": None, "from": {}}
    via: dict[str, Any] = {"channel": "twitter_dm" if person.on_x else "email", "source": source}
    return {"ticket": {"id": asked, "requester_id": person.number, "status": "solved", "via": via}}


def _zendesk_identities(person: Known, _asked: str, _query: Mapping[str, str]) -> Any:
    found = [{"type": "email", "value": "customer@example.com"}]
    found += [{"type": "twitter", "value": person.handle}] if person.handle else []
    return {"identities": found, "count": len(found), "next_page": None}


def _intercom(person: Known, asked: str, _query: Mapping[str, str]) -> Any:
    profiles = [{"type": "social_profile", "name": "Twitter", "url": f"http://twitter.com/{person.handle}"}]
    social = {"type": "list", "data": profiles if person.handle else []}
    return {"type": "contact", "id": asked, "custom_attributes": {}, "social_profiles": social}


def _hubspot(person: Known, asked: str, query: Mapping[str, str]) -> Any:
    """Only the properties that are asked for are told."""
    wanted = query.get("properties", "").split(",")
    return {"id": asked, "properties": {"twitterhandle": person.handle} if "twitterhandle" in wanted else {}}


def _salesforce(crms: Crms, query: str) -> Any:
    """A question in SOQL; the one that is understood asks for a person's social personas."""
    asked = re.search(r"FROM SocialPersona WHERE ParentId='(\w+)' AND Provider='Twitter'", query)
    person = crms.by_customer(asked[1]) if asked else None
    known = person is not None and (person.x_user_id or person.handle)
    records = [{"ExternalId": person.x_user_id, "Name": person.handle}] if person is not None and known else []
    return {"totalSize": len(records), "done": True, "records": records}


def _kustomer(person: Known, asked: str, _query: Mapping[str, str]) -> Any:
    social = {"type": "twitter", "userid": person.x_user_id, "username": person.handle}
    socials = [social] if person.x_user_id or person.handle else []
    return {"data": {"type": "customer", "id": asked, "attributes": {"socials": socials}}}


def _chatwoot(person: Known, _asked: str, _query: Mapping[str, str]) -> Any:
    inbox = {"source_id": person.x_user_id, "inbox": {"channel_type": "Channel::TwitterProfile"}}
    more = {"social_profiles": {"twitter": person.handle or ""}}
    inboxes = [inbox] if person.x_user_id else []
    return {"payload": {"id": person.number, "additional_attributes": more, "contact_inboxes": inboxes}}


def _front_conversation(person: Known, asked: str, _query: Mapping[str, str]) -> Any:
    link = f"https://example.api.frontapp.com/contacts/{person.customer}"
    recipient = {"handle": person.handle, "role": "from", "_links": {"related": {"contact": link}}}
    last = f"https://example.api.frontapp.com/messages/msg_{asked}?referer=conversation"
    return {"id": asked, "recipient": recipient, "_links": {"related": {"last_message": last}}}


def _front_message(person: Known, asked: str, _query: Mapping[str, str]) -> Any:
    return {"id": f"msg_{asked}", "type": "tweet_dm" if person.on_x else "email", "body": "<p>hi</p>"}


def _profiles(person: Known, kind: str, **more: Any) -> list[dict[str, Any]]:
    """One profile of X where there is one; vendors differ in how they name its parts."""
    return [{kind: "twitter", **more}] if person.handle else []


ZENDESK = (
    VendorPath("/api/v2/tickets/{conversation}.json", _zendesk_ticket),
    VendorPath("/api/v2/users/{customer}/identities.json", _zendesk_identities),
)
FRESHDESK = (
    VendorPath("/api/v2/tickets/{conversation}", lambda who, asked, _: {"id": asked, "requester_id": who.number}),
    VendorPath("/api/v2/contacts/{customer}", lambda who, asked, _: {"id": asked, "twitter_id": who.handle}),
)
FRESHCHAT = (
    VendorPath(
        "/v2/conversations/{conversation}",
        lambda who, asked, _: {"conversation_id": asked, "users": [{"id": who.customer}]},
    ),
    VendorPath(
        "/v2/users/{customer}",
        lambda who, asked, _: {"id": asked, "social_profiles": _profiles(who, "type", id=who.handle)},
    ),
)
HELPSCOUT = VendorPath(
    "/v2/customers/{customer}/social-profiles",
    lambda who, *_: {"_embedded": {
        "social-profiles": _profiles(who, "type", id=1, value=f"https://twitter.com/{who.handle}")}},
)  # fmt: skip
HUBSPOT = (
    VendorPath(
        "/crm/objects/2026-09/tickets/{conversation}",
        lambda who, asked, _: {
            "id": asked,
            "associations": {"contacts": {"results": [{"id": str(who.number), "type": "ticket_to_contact"}]}},
        },
    ),
    VendorPath(
        "/conversations/conversations/2026-09/threads/{conversation}",
        lambda who, asked, _: {"id": asked, "status": "CLOSED", "associatedContactId": str(who.number)},
    ),
    VendorPath("/crm/objects/2026-09/contacts/{customer}", _hubspot),
)
FRONT = (
    VendorPath("/conversations/{conversation}", _front_conversation),
    VendorPath("/messages/msg_{conversation}", _front_message),
    VendorPath(
        "/contacts/{customer}",
        lambda who, asked, _: {"id": asked, "handles": _profiles(who, "source", handle=who.handle)},
    ),
)
GORGIAS = VendorPath(
    "/api/customers/{customer}",
    lambda who, *_: {"id": who.number, "channels": _profiles(who, "type", address=who.handle)},
)
CRISP = (
    VendorPath(
        "/v1/website/{}/conversation/{conversation}",
        lambda who, *_: {"error": False, "data": {"people_id": who.customer}},
    ),
    VendorPath(
        "/v1/website/{}/people/profile/{customer}",
        lambda who, *_: {"data": {"person": {"profiles": _profiles(who, "type", handle=who.handle)}}},
    ),
)
TWILIO = VendorPath(
    "/v1/Services/{}/Conversations/{conversation}/Participants",
    lambda who, *_: {"participants": [
        {"sid": "MB1", "attributes": json.dumps({"x_user_id": who.x_user_id, "x_handle": who.handle})}]},
)  # fmt: skip
VENDORS: Mapping[str, Vendor] = {
    "zendesk": Vendor(
        sign_in.zendesk, ZENDESK, lambda s, _: {"Retry-After": str(s), "ratelimit-reset": str(s)}, "/oauth/tokens"
    ),
    "freshdesk": Vendor(sign_in.basic_key_as_user, FRESHDESK, retry_after),
    "freshchat": Vendor(sign_in.bearer, FRESHCHAT, retry_after),
    "intercom": Vendor(
        sign_in.bearer,
        (VendorPath("/contacts/{customer}", _intercom),),
        lambda s, now: {"X-RateLimit-Reset": str(now + s)},
    ),
    "helpscout": Vendor(
        sign_in.client_credentials, (HELPSCOUT,), lambda s, _: {"X-RateLimit-Retry-After": str(s)}, "/v2/oauth2/token"
    ),
    "hubspot": Vendor(
        sign_in.bearer, HUBSPOT, lambda s, _: {"X-HubSpot-RateLimit-Interval-Milliseconds": str(s * 1000)}
    ),
    "kustomer": Vendor(
        sign_in.bearer,
        (VendorPath("/v1/customers/{customer}", _kustomer),),
        lambda s, now: {"X-RateLimit-Reset": str(now + s)},
    ),
    "front": Vendor(sign_in.bearer, FRONT, retry_after),
    "gorgias": Vendor(sign_in.basic, (GORGIAS,), retry_after),
    "salesforce": Vendor(
        sign_in.client_credentials,
        (),
        silent,
        "/services/oauth2/token",
        (403, [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]),
    ),
    "chatwoot": Vendor(
        sign_in.chatwoot,
        (VendorPath("/api/v1/accounts/{}/contacts/{customer}", _chatwoot),),
        lambda s, now: {"RateLimit-Reset": str(now + s)},  # as rack-attack writes it
    ),
    "crisp": Vendor(sign_in.crisp, CRISP, silent),
    "twilio": Vendor(sign_in.basic, (TWILIO,), silent),
}


def told(crms: Crms, name: str, path: str, query: Mapping[str, str]) -> Any | None:
    """What a vendor says; None: it knows no such path, or nobody."""
    if name == "salesforce" and path.endswith("/query"):
        return _salesforce(crms, query.get("q", ""))
    for route in VENDORS[name].routes:
        found = route.person(crms, path)
        if found is not None:
            person, asked = found
            return None if person is None else route.tell(person, asked, query)
    return None
