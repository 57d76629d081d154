"""Routes that are not built by smorest, in words for the description: webhooks, health, metrics.

They read raw bytes before anything else (a signature is over bytes), so their contract stands here by hand.
"""

from typing import Any

PROBLEM = {
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def _problem(says: str) -> dict[str, Any]:
    return {"description": says, **PROBLEM}


def _path(name: str, says: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "description": says, "schema": {"type": "string"}}


def _json(says: str) -> dict[str, Any]:
    return {"description": says, "content": {"application/json": {"schema": {"type": "object"}}}}


PATHS: dict[str, Any] = {
    "/webhooks/crm/{source}": {
        "get": {
            "tags": ["webhooks"],
            "operationId": "crm_greeting",
            "summary": "A CRM looks whether the address exists before it calls.",
            "security": [],
            "parameters": [_path("source", "The name of a [sources.NAME] section")],
            "responses": {"200": {"description": "It exists"}, "404": _problem("There is no such source")},
        },
        "post": {
            "tags": ["webhooks"],
            "operationId": "conversation_ended",
            "summary": "A conversation ended (or was reopened) in a CRM.",
            "description": "The body is what the CRM sends; the source's definition says how it is verified, split, "
            "filtered and read. A 2xx means that everything in it is stored for good. A repeat is answered like the "
            "first and changes nothing.",
            "security": [],
            "parameters": [_path("source", "The name of a [sources.NAME] section")],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {"schema": {}},
                    "application/x-www-form-urlencoded": {"schema": {}},
                },
            },
            "responses": {
                "200": _json("Stored, or known already; says what became of each item"),
                "400": _problem("The body cannot be read"),
                "401": _problem("The signature or token does not match"),
                "404": _problem("There is no such source"),
                "413": _problem("The body is too large"),
                "503": _problem("Nothing was stored; send it again"),
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
                    "schema": {"type": "string"},
                    "description": "X's challenge",
                },
            ],
            "responses": {"200": _json("The signed challenge"), "404": _problem("There is no such account")},
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
                "200": _json("Taken in, or known already"),
                "400": _problem("The body cannot be read"),
                "401": _problem("User, password or signature do not match"),
                "404": _problem("There is no such account"),
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
            "responses": {"200": _json("Alive")},
        },
    },
    "/readyz": {
        "get": {
            "tags": ["operations"],
            "operationId": "ready",
            "summary": "The service can take in conversations: the database is writable and migrated.",
            "security": [],
            "responses": {"200": _json("Ready"), "503": _json("Not ready, and why")},
        },
    },
    "/metrics": {
        "get": {
            "tags": ["operations"],
            "operationId": "metrics",
            "summary": "Counters and ages for Prometheus.",
            "responses": {
                "200": {"description": "Prometheus text", "content": {"text/plain": {"schema": {"type": "string"}}}}
            },
        },
    },
}
