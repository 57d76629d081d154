"""Describes the routes that are not built with smorest: webhooks, health, metrics.

They read raw bytes first (a signature is over bytes), so their contract is written here by hand.
"""

from typing import Any

PROBLEM = {
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


SIGNED = {
    "webhook-id": "Id of the delivery. A retry has the same id",
    "webhook-timestamp": "When it was sent, in seconds since 1970",
    "webhook-signature": "`v1,` followed by the signature over id, timestamp and body",
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
    {"name": "question page", "description": "Where customers answer if no card can be shown"},
    {"name": "webhooks", "description": "Endpoints that CRMs and X call"},
    {"name": "operations", "description": "For operators"},
]
PATHS: dict[str, Any] = {
    "/f/{token}": {
        "parameters": [_path("token", "The secret part of the link in the customer's message")],
        "get": {
            "tags": ["question page"],
            "operationId": "question_page",
            "summary": "Show the question, or what was answered. Opening the page changes nothing.",
            "security": [],
            "responses": {
                "200": _html("The question page"),
                "404": _html("The link is wrong, expired or erased. The response does not say which"),
            },
        },
        "post": {
            "tags": ["question page"],
            "operationId": "answer_question",
            "summary": "Submit one part of an answer: a score or a comment.",
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
                "303": {"description": "Stored. The page shows it"},
                "404": _html("The link is wrong, expired or erased. The response does not say which"),
                "413": _problem("The form is too large"),
                "422": _html("Something is missing. The page says what, and keeps what was typed"),
            },
        },
    },
    "/f/logo/{digest}": {
        "parameters": [_path("digest", "Digest of the picture's content")],
        "get": {
            "tags": ["question page"],
            "operationId": "logo",
            "summary": "Get the company's logo.",
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
            "summary": "Lets a CRM check that the webhook URL exists before it sends anything.",
            "security": [],
            "parameters": [_path("source", "The name of a [sources.NAME] section")],
            "responses": {
                "200": {"description": "The CRM may send. A stranger cannot tell from it which sources exist"},
                "404": _problem("Not a possible name of a source"),
            },
        },
        "post": {
            "tags": ["webhooks"],
            "operationId": "conversation_ended",
            "summary": "Receive a CRM's report that a conversation ended or was reopened.",
            "description": "The body is whatever the CRM sends. The source's definition says how it is "
            "verified, split, "
            "filtered and read. A 2xx means that everything in it is stored durably. A repeated delivery "
            "gets a 2xx too, counts its items as `duplicate`, and changes nothing.",
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
                "200": _json("Stored now or earlier. The body says what happened to each item"),
                "400": _problem("The body is shorter than its Content-Length"),
                "401": _problem("The signature or token does not match, or there is no such source"),
                "404": _problem("Not a possible name of a source"),
                "413": _problem("The body is too large"),
                "415": _problem(
                    "The Content-Encoding or the charset is not supported. Send the body uncompressed, in UTF-8"
                ),
                "503": _problem("Nothing was stored, or the signature cannot be verified at the moment. Send it again"),
            },
        },
        "options": {
            "tags": ["webhooks"],
            "operationId": "crm_consent",
            "summary": "Answer a CloudEvents sender that asks whether it may deliver.",
            "description": "WebHook-Request-Origin must be on the source's list (`handshake.cloudevents_origins`). A "
            "callback URL in the request is never called.",
            "security": [],
            "parameters": [_path("source", "The name of a [sources.NAME] section")],
            "responses": {
                "200": {
                    "description": "The sender may deliver. If an origin was given, WebHook-Allowed-Origin and "
                    "WebHook-Allowed-Rate confirm it"
                },
                "403": _problem("This origin is not on the list"),
                "404": _problem("Not a possible name of a source"),
            },
        },
    },
    "/webhooks/x/{account}": {
        "get": {
            "tags": ["webhooks"],
            "operationId": "x_challenge",
            "summary": "Answer X's challenge, which checks that this URL is ours (CRC).",
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
                "400": _problem("The crc_token is missing or malformed"),
                "403": _problem("The caller is outside the networks that the settings list for X"),
                "404": _problem("There is no such account, or its webhook is not configured"),
            },
        },
        "post": {
            "tags": ["webhooks"],
            "operationId": "x_feedback",
            "summary": "Receive X's report that a customer answered.",
            "description": "Requires HTTP Basic with the account's webhook_user and webhook_password. If the settings "
            "list X's networks, only those may call.",
            "security": [],
            "parameters": [_path("account", "The name of an [accounts.NAME] section")],
            "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
            "responses": {
                "200": _json(
                    "Stored now or earlier. `received` is the number of events that could be read; it may be 0"
                ),
                "401": _problem("User, password or signature is wrong"),
                "403": _problem("The caller is outside the networks that the settings list for X"),
                "404": _problem("There is no such account, or its webhook is not configured"),
                "413": _problem("The body is too large"),
                "503": _problem("Nothing was stored. Send it again"),
            },
        },
    },
    "/healthz": {
        "get": {
            "tags": ["operations"],
            "operationId": "alive",
            "summary": "Check that the process is alive.",
            "security": [],
            "responses": {"200": _json("Alive"), "431": _problem("The headers are too large")},
        },
    },
    "/.well-known/security.txt": {
        "get": {
            "tags": ["operations"],
            "operationId": "security_txt",
            "summary": "Get the contact for reporting vulnerabilities (RFC 9116).",
            "security": [],
            "responses": {
                "200": {"description": "The contact", "content": {"text/plain": {"schema": {"type": "string"}}}},
                "404": _problem("The setting web.security_contact is empty"),
            },
        },
    },
    "/robots.txt": {
        "get": {
            "tags": ["operations"],
            "operationId": "robots_txt",
            "summary": "Tells search engines to read nothing.",
            "security": [],
            "responses": {
                "200": {"description": "The rules", "content": {"text/plain": {"schema": {"type": "string"}}}},
                "431": _problem("The headers are too large"),
            },
        },
    },
    "/favicon.ico": {
        "get": {
            "tags": ["operations"],
            "operationId": "favicon",
            "summary": "Returns no icon: the question page belongs to the company that asks.",
            "security": [],
            "responses": {
                "204": {"description": "There is none"},
                "431": _problem("The headers are too large"),
            },
        },
    },
    "/readyz": {
        "get": {
            "tags": ["operations"],
            "operationId": "ready",
            "summary": "Check that the service can accept deliveries: the database answers and has the right schema.",
            "description": "Anybody can see whether the service is ready. Keys with the role monitor or admin also see "
            "the state of each dependency.",
            "security": [{}, {"key": []}],
            "responses": {
                "200": _json("`ok` or, with a key, `degraded`: deliveries are accepted, but something needs attention"),
                "401": _problem("The key is not valid. (The endpoint also works without a key)"),
                "403": _problem("The key's role may not read details"),
                "429": _problem("Too many calls with this key in this minute"),
                "503": _json("`unavailable`"),
            },
        },
    },
    "/metrics": {
        "get": {
            "tags": ["operations"],
            "operationId": "metrics",
            "summary": "Get metrics for Prometheus.",
            "responses": {
                "200": {"description": "Prometheus text", "content": {"text/plain": {"schema": {"type": "string"}}}},
                "401": _problem("The key is missing or not valid"),
                "403": _problem("The key is restricted to some accounts, but the metrics cover all"),
                "429": _problem("Too many calls with this key in this minute"),
                "503": _problem("The database does not answer"),
            },
        },
    },
}
