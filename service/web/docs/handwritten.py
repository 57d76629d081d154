"""Describes the routes that are not built with smorest: webhooks, health, metrics.

They read raw bytes first (a signature is over bytes), so their contract is written here by hand.
"""

from typing import Any

PROBLEM = {
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


SIGNED = {
    "webhook-id": "The delivery's name; a repeat has the same",
    "webhook-timestamp": "When it was sent, in seconds since 1970",
    "webhook-signature": "v1, and the signature over id, timestamp and body",
}
"""Of the standard signature (standardwebhooks.com); other sources bring headers of their own."""


def _problem(says: str) -> dict[str, Any]:
    return {"description": says, **PROBLEM}


def _path(name: str, says: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": says, "schema": {"type": "string"}}


def _headers() -> list[dict[str, Any]]:
    told = [{"name": name, "in": "header", "description": says} for name, says in SIGNED.items()]
    return [{**each, "required": False, "schema": {"type": "string"}} for each in told]


def _json(says: str) -> dict[str, Any]:
    return {"description": says, "content": {"application/json": {"schema": {"type": "object"}}}}


def _html(says: str) -> dict[str, Any]:
    return {"description": says, "content": {"text/html": {"schema": {"type": "string"}}}}


OBJECT = {"type": "object"}
TAGS = [
    {"name": "question page", "description": "What customers answer on where no card shows"},
    {"name": "webhooks", "description": "What CRMs and X call"},
    {"name": "operations", "description": "For those who run it"},
]
PATHS: dict[str, Any] = {
    "/f/{token}": {
        "parameters": [_path("token", "The secret of the link in the customer's message")],
        "get": {
            "tags": ["question page"],
            "operationId": "question_page",
            "summary": "The question, or what was answered. Looking changes nothing.",
            "security": [],
            "responses": {"200": _html("The page"), "404": _html("A wrong link, an old one or an erased one alike")},
        },
        "post": {
            "tags": ["question page"],
            "operationId": "answer_question",
            "summary": "One part of an answer: a score or a comment.",
            "security": [],
            "requestBody": {
                "content": {
                    "application/x-www-form-urlencoded": {
                        "schema": {
                            "type": "object",
                            "properties": {"score": {"type": "string"}, "comment": {"type": "string"}},
                        }
                    }
                }
            },
            "responses": {
                "303": {"description": "Stored; the page shows it"},
                "404": _html("A wrong link, an old one or an erased one alike"),
                "413": _problem("Larger than a form can be"),
                "422": _html("What is missing, with what was typed"),
            },
        },
    },
    "/f/logo/{digest}": {
        "parameters": [_path("digest", "Of the picture's content")],
        "get": {
            "tags": ["question page"],
            "operationId": "logo",
            "summary": "The business's logo.",
            "security": [],
            "responses": {
                "200": {"description": "A picture: SVG, PNG, WebP or JPEG"},
                "404": _problem("There is no such file"),
            },
        },
    },
    "/webhooks/crm/{source}": {
        "get": {
            "tags": ["webhooks"],
            "operationId": "crm_greeting",
            "summary": "A CRM looks whether the address exists before it calls.",
            "security": [],
            "parameters": [_path("source", "The name of a [sources.NAME] section")],
            "responses": {
                "200": {"description": "It may call; a stranger does not learn which sources there are"},
                "404": _problem("No source can have such a name"),
            },
        },
        "post": {
            "tags": ["webhooks"],
            "operationId": "conversation_ended",
            "summary": "A conversation ended (or was reopened) in a CRM.",
            "description": "The body is what the CRM sends; the source's definition says how it is verified, split, "
            "filtered and read. A 2xx means that everything in it is stored for good. A repeat is answered like the "
            "first and changes nothing.",
            "security": [],
            "parameters": [_path("source", "The name of a [sources.NAME] section"), *_headers()],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": {"oneOf": [OBJECT, {"type": "array", "items": OBJECT}]}},
                    "application/x-www-form-urlencoded": {"schema": OBJECT},
                },
            },
            "responses": {
                "200": _json("Stored, or known already; says what became of each item"),
                "400": _problem("The body ended before its announced length"),
                "401": _problem("The signature or token does not match, or there is no such source"),
                "404": _problem("No source can have such a name"),
                "413": _problem("The body is too large"),
                "415": _problem("Its Content-Encoding or its charset is none we know; send it plain, in UTF-8"),
                "503": _problem("Nothing was stored, or what proves it is away; send it again"),
            },
        },
        "options": {
            "tags": ["webhooks"],
            "operationId": "crm_consent",
            "summary": "A CloudEvents sender asks whether it may deliver.",
            "description": "WebHook-Request-Origin must be on the source's list (`handshake.cloudevents_origins`); the "
            "callback address it may name is never fetched.",
            "security": [],
            "parameters": [_path("source", "The name of a [sources.NAME] section")],
            "responses": {
                "200": {"description": "It may; WebHook-Allowed-Origin and WebHook-Allowed-Rate say so to an origin"},
                "403": _problem("This origin is not on the list"),
                "404": _problem("No source can have such a name"),
            },
        },
    },
    "/webhooks/x/{account}": {
        "get": {
            "tags": ["webhooks"],
            "operationId": "x_challenge",
            "summary": "X asks whether this address is ours (CRC).",
            "security": [],
            "parameters": [
                _path("account", "The name of an [accounts.NAME] section"),
                {
                    "name": "crc_token",
                    "in": "query",
                    "required": True,
                    "schema": {"type": "string", "pattern": "^[A-Za-z0-9+/=_.~-]{1,256}$"},
                    "description": "X's challenge",
                },
            ],
            "responses": {
                "200": _json("The signed challenge"),
                "400": _problem("The crc_token is missing or cannot be one"),
                "403": _problem("The caller is in none of X's networks that are set"),
                "404": _problem("There is no such account, or its webhook is not set up"),
            },
        },
        "post": {
            "tags": ["webhooks"],
            "operationId": "x_feedback",
            "summary": "X tells that a customer answered.",
            "description": "Basic auth with the account's webhook_user and webhook_password, from X's networks only "
            "where those are set.",
            "security": [],
            "parameters": [_path("account", "The name of an [accounts.NAME] section")],
            "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
            "responses": {
                "200": _json("Taken in or known already; `received` is how many events could be read, 0 for none"),
                "401": _problem("User, password or signature do not match"),
                "403": _problem("The caller is in none of X's networks that are set"),
                "404": _problem("There is no such account, or its webhook is not set up"),
                "413": _problem("The body is too large"),
                "503": _problem("Nothing was stored; send it again"),
            },
        },
    },
    "/healthz": {
        "get": {
            "tags": ["operations"],
            "operationId": "alive",
            "summary": "The process is alive.",
            "security": [],
            "responses": {"200": _json("Alive"), "431": _problem("The headers are larger than we read")},
        },
    },
    "/.well-known/security.txt": {
        "get": {
            "tags": ["operations"],
            "operationId": "security_txt",
            "summary": "Whom to tell of a fault (RFC 9116).",
            "security": [],
            "responses": {
                "200": {"description": "The contact", "content": {"text/plain": {"schema": {"type": "string"}}}},
                "404": _problem("The setting web.security_contact names nobody"),
            },
        },
    },
    "/robots.txt": {
        "get": {
            "tags": ["operations"],
            "operationId": "robots_txt",
            "summary": "What search engines may read: nothing.",
            "security": [],
            "responses": {
                "200": {"description": "The rules", "content": {"text/plain": {"schema": {"type": "string"}}}},
                "431": _problem("The headers are larger than we read"),
            },
        },
    },
    "/favicon.ico": {
        "get": {
            "tags": ["operations"],
            "operationId": "favicon",
            "summary": "No icon: the question page is the business's own.",
            "security": [],
            "responses": {
                "204": {"description": "There is none"},
                "431": _problem("The headers are larger than we read"),
            },
        },
    },
    "/readyz": {
        "get": {
            "tags": ["operations"],
            "operationId": "ready",
            "summary": "The service can take in conversations: the database answers and has our schema.",
            "description": "Anybody learns whether it is ready; keys of monitors and admins why, by dependency.",
            "security": [{}, {"key": []}],
            "responses": {
                "200": _json("`ok`; with a key also `degraded`: deliveries are taken in, but something needs a look"),
                "401": _problem("The key is not valid; without one this is answered too"),
                "403": _problem("The key's role reads no details"),
                "503": _json("`unavailable`"),
            },
        },
    },
    "/metrics": {
        "get": {
            "tags": ["operations"],
            "operationId": "metrics",
            "summary": "Gauges for Prometheus.",
            "responses": {
                "200": {"description": "Prometheus text", "content": {"text/plain": {"schema": {"type": "string"}}}},
                "401": _problem("The key is missing or not valid"),
                "403": _problem("The key is limited to some accounts, and these figures are of all"),
                "429": _problem("Too many calls with this key in this minute"),
                "503": _problem("The database does not answer"),
            },
        },
    },
}
