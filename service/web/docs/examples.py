"""Examples for the API's description: one for every answer and every error.

Made from field names. An example shows what a value looks like; a test validates each against its schema.
"""

from collections.abc import Mapping
from typing import Any

NAMED: Mapping[str, Any] = {
    "request_id": "fr_01a20320a200b4010c9ea199a826",
    "conversation_id": "c-4711",
    "conversation_url": "https://crm.example/conversations/c-4711",
    "source": "crm",
    "account": "acme",
    "accounts": "acme",
    "campaign": "care",
    "team_id": "gold",
    "agent_id": "ann",
    "type": "csat",
    "question_variant_id": 1,
    "display_name": "Acme",
    "state": "card_sent",
    "reason": None,
    "score": 4,
    "score_after_s": 540,
    "text": "Quick and kind, thank you.",
    "text_after_s": 600,
    "update_count": 1,
    "language": "en",
    "tags": "vip",
    "channel": "x_dm",
    "customer_ref": None,
    "erased_at": None,
    "x_user_id": "2244994945",
    "until": "2026-11-29T12:00:00.000000Z",
    "change": "result",
    "next_cursor": "",
    "resume_cursor": "bW9yZQ",
    "left": "fr_01a20320a200b4010c9ea199a826",
    "channel_name": "webhook",
    "verdict": "applied",
    "from_state": "dm_sent",
    "to_state": "card_sent",
    "event": "advanced",
    "actor": "worker-1",
    "author": "ann's key (dmf_4f2c)",
    "format": "csv",
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "time_zone": "UTC",
    "zone": "Europe/Berlin",
    "errors": {"limit": ["must be 1 to 250"]},
}
FORMATS = {
    "date-time": "2026-11-22T12:00:00.000000Z",
    "date": "2026-11-22",
    "uri": "https://feedback.example.com/f/Zm9yIHRoaXMgY3VzdG9tZXI",
}
PLAIN: Mapping[str, Any] = {"string": "…", "integer": 1, "number": 0.5, "boolean": False, "null": None}
ERRORS: Mapping[int, tuple[str, str, str]] = {
    400: ("Bad request", "not_json", "The body is not JSON in UTF-8."),
    401: ("Not authenticated", "key_missing", "Send a key in the header 'Authorization: Bearer dmf_…'."),
    403: ("Not allowed", "account_not_allowed", "This key does not cover the account 'acme'."),
    404: ("Not found", "no_such_result", "There is no such result, or your key does not cover its account."),
    406: ("Not Acceptable", "not_acceptable", "This address answers in application/json."),
    409: ("Conflict", "conflict", "The thing is in a state that does not allow this."),
    410: ("Gone", "changes_begin_anew", "The database was restored from a backup; begin again without a cursor."),
    413: ("Too large", "too_large", "The body is larger than this address takes."),
    422: ("Invalid", "invalid_parameter", "'limit' must be 1 to 250."),
    429: ("Too many requests", "rate_limited", "This key may call 600 times a minute; try again in 12 s."),
    503: ("Unavailable", "database_away", "The database does not answer right now; try again in 30 s."),
}
KIND_OF = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "array",
    dict: "object",
    type(None): "null",
}
DEEPEST = 12


def of(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str = "", depth: int = 0) -> Any:
    """Return an example of a schema, made from examples of its fields."""
    shape = _meant(schema, schemas)
    kinds = [shape["type"]] if isinstance(shape.get("type"), str) else list(shape.get("type", ["object"]))
    if "enum" in shape:
        return shape["enum"][0]
    if name in NAMED and KIND_OF[type(NAMED[name])] in kinds:
        return NAMED[name]
    if kinds[0] == "array":
        return [of(shape.get("items", {}), schemas, name, depth + 1)] if depth < DEEPEST else []
    if kinds[0] == "object":
        inner = shape.get("properties", {}) if depth < DEEPEST else {}
        return {each: of(field, schemas, each, depth + 1) for each, field in inner.items()}
    return FORMATS.get(shape.get("format", ""), PLAIN[kinds[0]])


def _meant(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema meant: the one referred to, or the first of several."""
    while "$ref" in schema:
        schema = schemas[schema["$ref"].rpartition("/")[2]]
    several = next((schema[each] for each in ("anyOf", "oneOf", "allOf") if each in schema), None)
    return schema if several is None else _meant(several[0], schemas)


def problem(status: int) -> dict[str, Any]:
    """Return an example of an error."""
    title, code, detail = ERRORS[status]
    told = {"type": f"/docs/problems/{code}", "title": title, "status": status, "code": code, "detail": detail}
    return {**told, "request_id": "4f2c9d0a11be7733"}
