"""Describes the routes that are not built with smorest: webhooks, health, metrics.

They read raw bytes first (a signature is over bytes), so their contract is written here by hand.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from service.errors import PROBLEM_JSON

SIGNED = {
    "webhook-id": "Id of the delivery. A retry has the same id",
    "webhook-timestamp": "When it was sent, in seconds since 1970",
    "webhook-signature": "`v1,` followed by the signature over id, timestamp and body",
}
"""Of the standard signature (standardwebhooks.com); other sources bring headers of their own."""


def _route(tag: str, name: str, summary: str, responses: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """One operation. It needs no key of ours, unless `security` says otherwise; as None, what the API needs."""
    said = {"description": more.pop("description")} if "description" in more else {}
    security = more.pop("security", [])
    said |= {} if security is None else {"security": security}
    return {"tags": [tag], "operationId": name, "summary": summary, **said, **more, "responses": responses}


def _text(says: str, kind: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": says, "content": {kind: {"schema": schema}}}


def _problem(says: str) -> dict[str, Any]:
    return _text(says, PROBLEM_JSON, {"$ref": "#/components/schemas/Problem"})


def _json(says: str) -> dict[str, Any]:
    return _text(says, "application/json", OBJECT)


def _html(says: str) -> dict[str, Any]:
    return _text(says, "text/html", STRING)


def _plain(says: str) -> dict[str, Any]:
    return _text(says, "text/plain", STRING)


def _path(name: str, says: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": says, "schema": STRING}


STRING, OBJECT = {"type": "string"}, {"type": "object"}
SOURCE = _path("source", "The name of a [sources.NAME] section")
ACCOUNT = _path("account", "The name of an [accounts.NAME] section")
SIGNATURE = [
    {"name": name, "in": "header", "description": says, "required": False, "schema": STRING}
    for name, says in SIGNED.items()
]
CRC_TOKEN = {
    "name": "crc_token", "in": "query", "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9+/=_.~-]{1,256}$"}, "description": "X's challenge",
}  # fmt: skip
AN_ANSWER = {"type": "object", "properties": {"score": STRING, "comment": STRING}}
NO_LINK = _html("The link is wrong, expired or erased. The response does not say which")
TOO_MANY = _html("Too many requests from one address. Retry-After says when to try again")
NO_SOURCE = _problem("Not a possible name of a source")
NO_ACCOUNT = _problem("There is no such account, or its webhook is not configured")
NOT_FROM_X = _problem("The caller is outside the networks that the settings list for X")
TOO_LARGE = _problem("The body is too large")
LONG_HEADERS = _problem("The headers are too large")
TOO_MANY_CALLS = _problem("Too many calls with this key in this minute")
TAGS = [
    {"name": "question page", "description": "Where customers answer if no card can be shown"},
    {"name": "webhooks", "description": "Endpoints that CRMs and X call"},
    {"name": "operations", "description": "For operators"},
]
_page, _webhook, _operation = (partial(_route, tag["name"]) for tag in TAGS)
PATHS: dict[str, Any] = {
    "/f/{token}": {
        "parameters": [_path("token", "The secret part of the link in the customer's message")],
        "get": _page(
            "question_page",
            "Show the question, or what was answered. Opening the page changes nothing.",
            {"200": _html("The question page"), "404": NO_LINK, "429": TOO_MANY},
        ),
        "post": _page(
            "answer_question",
            "Submit one part of an answer: a score or a comment.",
            {
                "303": {"description": "Stored. The page shows it"},
                "404": NO_LINK,
                "429": TOO_MANY,
                "413": _problem("The form is too large"),
                "422": _html("Something is missing. The page says what, and keeps what was typed"),
            },
            requestBody={"content": {"application/x-www-form-urlencoded": {"schema": AN_ANSWER}}},
        ),
    },
    "/f/logo/{digest}": {
        "parameters": [_path("digest", "Digest of the picture's content")],
        "get": _page(
            "logo",
            "Get the company's logo.",
            {"200": {"description": "A picture: SVG, PNG, WebP or JPEG"}, "404": _problem("There is no such file")},
        ),
    },
    "/webhooks/crm/{source}": {
        "get": _webhook(
            "crm_greeting",
            "Lets a CRM check that the webhook URL exists before it sends anything.",
            {
                "200": {"description": "The CRM may send. A stranger cannot tell from it which sources exist"},
                "404": NO_SOURCE,
            },
            parameters=[SOURCE],
        ),
        "post": _webhook(
            "conversation_ended",
            "Receive a CRM's report that a conversation ended or was reopened.",
            {
                "200": _json("Stored now or earlier. The body says what happened to each item"),
                "400": _problem("The body is shorter than its Content-Length"),
                "401": _problem("The signature or token does not match, or there is no such source"),
                "404": NO_SOURCE,
                "413": TOO_LARGE,
                "415": _problem(
                    "The Content-Encoding or the charset is not supported. Send the body uncompressed, in UTF-8"
                ),
                "503": _problem("Nothing was stored, or the signature cannot be verified at the moment. Send it again"),
            },
            description="The body is whatever the CRM sends. The source's definition says how it is verified, split, "
            "filtered and read. A 2xx means that everything in it is stored durably. A repeated delivery gets a 2xx "
            "too, counts its items as `duplicate`, and changes nothing.",
            parameters=[SOURCE, *SIGNATURE],
            requestBody={
                "required": True,
                "content": {
                    "application/json": {"schema": {"oneOf": [OBJECT, {"type": "array", "items": OBJECT}]}},
                    "application/x-www-form-urlencoded": {"schema": OBJECT},
                },
            },
        ),
        "options": _webhook(
            "crm_consent",
            "Answer a CloudEvents sender that asks whether it may deliver.",
            {
                "200": {
                    "description": "The sender may deliver. If an origin was given, WebHook-Allowed-Origin and "
                    "WebHook-Allowed-Rate confirm it"
                },
                "403": _problem("This origin is not on the list"),
                "404": NO_SOURCE,
            },
            description="WebHook-Request-Origin must be on the source's list (`handshake.cloudevents_origins`). A "
            "callback URL in the request is never called.",
            parameters=[SOURCE],
        ),
    },
    "/webhooks/x/{account}": {
        "get": _webhook(
            "x_challenge",
            "Answer X's challenge, which checks that this URL is ours (CRC).",
            {
                "200": _json("The signed challenge"),
                "400": _problem("The crc_token is missing or malformed"),
                "403": NOT_FROM_X,
                "404": NO_ACCOUNT,
            },
            parameters=[ACCOUNT, CRC_TOKEN],
        ),
        "post": _webhook(
            "x_feedback",
            "Receive X's report that a customer answered.",
            {
                "200": _json(
                    "Stored now or earlier. `received` is the number of events that could be read; it may be 0"
                ),
                "401": _problem("User, password or signature is wrong"),
                "403": NOT_FROM_X,
                "404": NO_ACCOUNT,
                "413": TOO_LARGE,
                "503": _problem("Nothing was stored. Send it again"),
            },
            description="Requires HTTP Basic with the account's webhook_user and webhook_password. If the settings "
            "list X's networks, only those may call.",
            parameters=[ACCOUNT],
            requestBody={"required": True, "content": {"application/json": {"schema": OBJECT}}},
        ),
    },
    "/healthz": {
        "get": _operation("alive", "Check that the process is alive.", {"200": _json("Alive"), "431": LONG_HEADERS})
    },
    "/.well-known/security.txt": {
        "get": _operation(
            "security_txt",
            "Get the contact for reporting vulnerabilities (RFC 9116).",
            {"200": _plain("The contact"), "404": _problem("The setting web.security_contact is empty")},
        )
    },
    "/robots.txt": {
        "get": _operation(
            "robots_txt",
            "Tells search engines to read nothing.",
            {"200": _plain("The rules"), "431": LONG_HEADERS},
        )
    },
    "/favicon.ico": {
        "get": _operation(
            "favicon",
            "Returns no icon: the question page belongs to the company that asks.",
            {"204": {"description": "There is none"}, "431": LONG_HEADERS},
        )
    },
    "/readyz": {
        "get": _operation(
            "ready",
            "Check that the service can accept deliveries: the database answers and has the right schema.",
            {
                "200": _json("`ok` or, with a key, `degraded`: deliveries are accepted, but something needs attention"),
                "401": _problem("The key is not valid. (The endpoint also works without a key)"),
                "403": _problem("The key's role may not read details"),
                "429": TOO_MANY_CALLS,
                "503": _json("`unavailable`"),
            },
            description="Anybody can see whether the service is ready. Keys with the role monitor or admin also see "
            "the state of each dependency.",
            security=[{}, {"key": []}],
        )
    },
    "/metrics": {
        "get": _operation(
            "metrics",
            "Get metrics for Prometheus.",
            {
                "200": _plain("Prometheus text"),
                "401": _problem("The key is missing or not valid"),
                "403": _problem("The key is restricted to some accounts, but the metrics cover all"),
                "429": TOO_MANY_CALLS,
                "503": _problem("The database does not answer"),
            },
            security=None,
        )
    },
}
