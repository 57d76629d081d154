"""Examples for the API's description: one for every answer and every error.

Made from field names. An example shows what a value looks like; a test validates each against its schema.
"""

from collections.abc import Mapping
from typing import Any

FIGURES: Mapping[str, Any] = {
    "n": 60,
    "value": 80.0,
    "low": 68.2182,
    "high": 88.1715,
    "confidence": 0.95,
    "method": "wilson",
    "mean": 4.1333,
    "mean_low": 3.6552,
    "mean_high": 4.4751,
    "distribution": [{"score": score, "n": n} for score, n in ((1, 3), (2, 2), (3, 7), (4, 20), (5, 28))],
    "date_field": "scored_at",
    "Rate.date_field": "sent_at",
    "Rate.name": "response_rate_of_delivered",
    "Rate.n": 200,
    "successes": 60,
    "Rate.value": 30.0,
    "Rate.low": 24.0747,
    "Rate.high": 36.6791,
    "suppressed": None,
    "waiting": 0,
    "by": "team",
    "and_by": None,
    "key": "gold",
    "and_key": None,
    "name": "Gold customers",
    "and_name": None,
    "rest": None,
    "of": None,
    "label": "2026-11-16",
    "period": "week",
    "ended": 260,
    "pending": 4,
    "decided": 256,
    "offered": 200,
    "unknown": 1,
    "delivered": 200,
    "answered": 60,
    "scored": 60,
    "commented": 22,
    "share": 78.125,
    "limit_low": 70.4,
    "limit_high": 85.9,
    "place": "inside",
    "judgement": "too_few_to_judge",
    "response_judgement": "about_the_same",
    "response_rate_judgement": "about_the_same",
    "smallest": 5.0,
    "Change.method": "agresti_caffo",
    "n_a": 54,
    "n_b": 60,
    "of_a": 54,
    "of_b": 60,
    "difference": 2.2222,
    "delta": 2.2465,
    "Change.low": -12.7518,
    "Change.high": 17.2449,
    "z": 0.2936,
    "p": 0.7691,
    "Standardised.a": 77.8,
    "Standardised.b": 80.0,
    "Standardised.low": -12.8,
    "Standardised.high": 17.2,
    "version": "1",
    "definition_version": "1",
    "Definition.name": "csat",
    "title": "Customer satisfaction (top 2 of 5)",
    "plain": "How many of those who answered were satisfied. Of 50 who answered, 30 gave 4 or 5: 60 %.",
    "formula": "100 * satisfied / all answers; in per cent.",
    "numerator": "Answers of 4 or 5. A 3 is not satisfied.",
    "denominator": "All answers with a score (1 to 5) to CSAT cards.",
    "exclusions": "Answers with a comment only.",
    "interval": "Wilson score interval, 95 %.",
    "time_anchor": "The day the customer gave the score.",
    "Definition.source": "Wilson 1927.",
}
"""A week of one team, in figures that fit each other."""
NAMED: Mapping[str, Any] = {
    "request_id": "fr_01a20320a200b4010c9ea199a826",
    "id": "4f2c9d0a11be",
    "RequestState.id": "fr_01a20320a200b4010c9ea199a826",
    "Access.id": "4711",
    "GivenName.id": "ann",
    "conversation_id": "c-4711",
    "conversation_url": "https://crm.example/conversations/c-4711",
    "source": "crm",
    "account": "acme",
    "accounts": "acme",
    "campaign": "care",
    "team_id": "gold",
    "team_name": "Gold customers",
    "agent_id": "ann",
    "agent_name": "Ann Lee",
    "type": "csat",
    "question_variant_id": 1,
    "question": "How satisfied are you with our service?",
    "display_name": "Acme",
    "state": "card_sent",
    "reason": None,
    "Reasoned.reason": "cooldown",
    "score": 4,
    "score_after_s": 540,
    "score_way": "card",
    "way": "card",
    "text": "Quick and kind, thank you.",
    "Note.text": "Called back; solved.",
    "TimelineNote.text": "The new portal is open",
    "text_after_s": 600,
    "update_count": 1,
    "language": "en",
    "tags": "vip",
    "channel": "x_dm",
    "Update.channel": "webhook",
    "customer_ref": None,
    "erased_at": None,
    "x_user_id": "2244994945",
    "until": "2026-11-29T12:00:00.000000Z",
    "earlier_since": "2026-11-08T12:00:00.000000Z",
    "earlier_until": "2026-11-15T12:00:00.000000Z",
    "next_cursor": "",
    "ChangedPage.next_cursor": "bW9yZQ",
    "resume_cursor": "bW9yZQ",
    "left": "fr_01a20320a200b4010c9ea199a826",
    "Update.verdict": "applied",
    "Change.verdict": "no_change_shown",
    "from_state": "dm_sent",
    "to_state": "card_sent",
    "event": "advanced",
    "detail": None,
    "actor": "worker-1",
    "Access.actor": "ann's key (dmf_4f2c)",
    "action": "results.list",
    "Access.detail": {"filter": {"team": ["gold"]}, "rows": 50},
    "author": "ann's key (dmf_4f2c)",
    "created_by": "ann's key (dmf_4f2c)",
    "given_by": "settings",
    "owner": "ann",
    "owner_by": "ben",
    "done_by": None,
    "done_at": None,
    "revoked_at": None,
    "address": "https://feedback.example.com/v1/feeds/4f2c9d0a11be/SECRET.csv",
    "Access.address": "203.0.113.7",
    "outcome": "done",
    "format": "csv",
    "columns": "request_id",
    "filter": {"team": ["gold"]},
    "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "time_zone": "UTC",
    "zone": "Europe/Berlin",
    **FIGURES,
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
    415: ("Unsupported Media Type", "unsupported_media_type", "Send the body as Content-Type: application/json."),
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


def of(schema: Mapping[str, Any], schemas: Mapping[str, Any], name: str = "", depth: int = 0, owner: str = "") -> Any:
    """Return an example of a schema, made from examples of its fields; `owner`: the schema whose field it is."""
    shape = _meant(schema, schemas)
    kinds = [shape["type"]] if isinstance(shape.get("type"), str) else list(shape.get("type", ["object"]))
    if "enum" in shape:
        return shape["enum"][0]
    known = next((NAMED[each] for each in (f"{owner}.{name}", name) if each in NAMED), ...)
    if known is not ... and KIND_OF[type(known)] in kinds:
        return known
    if kinds[0] == "array":
        return [of(shape.get("items", {}), schemas, name, depth + 1, owner)] if depth < DEEPEST else []
    if kinds[0] == "object":
        inner = shape.get("properties", {}) if depth < DEEPEST else {}
        mine = _named(schema)
        return {each: of(field, schemas, each, depth + 1, mine) for each, field in inner.items()}
    return FORMATS.get(shape.get("format", ""), PLAIN[kinds[0]])


def _named(schema: Mapping[str, Any]) -> str:
    """The name of the schema referred to, be it the first of several."""
    for several in ("anyOf", "oneOf", "allOf"):
        schema = schema[several][0] if several in schema else schema
    return str(schema.get("$ref", "")).rpartition("/")[2]


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
