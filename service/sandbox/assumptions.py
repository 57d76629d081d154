# ruff: noqa: RUF009 - every default below is made by a helper that keeps its meaning beside it
"""Every choice X never documented, as a table of switches; each default is what we think most likely.

Set by the configuration or `PUT /_control/assumptions`. An "answer" is HTTP status and X code in one string, such as
"403/349".
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

_ANSWER = re.compile(r"[1-5]\d\d/\d{1,3}")


def _switch(default: Any, meaning: str, *choices: Any) -> Any:
    """A field with its meaning; without choices the type of the default says what is allowed."""
    return field(default=default, metadata={"meaning": meaning, "choices": choices})


def _answer(default: str, meaning: str) -> Any:
    """A field that holds an answer, "status/code"."""
    return field(default=default, metadata={"meaning": meaning, "check": _is_answer})


def _checked(default: Any, meaning: str, check: Any) -> Any:
    """A field whose value is checked by a function of its own."""
    return field(default=default, metadata={"meaning": meaning, "check": check})


def _is_answer(value: object) -> bool:
    return isinstance(value, str) and _ANSWER.fullmatch(value) is not None


def _is_seconds_or_none(value: object) -> bool:
    return value is None or _is_seconds(value)


def _is_seconds(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_span(value: object) -> bool:
    if isinstance(value, list | tuple):
        return len(value) == 2 and all(map(_is_seconds, value)) and value[0] <= value[1]  # noqa: PLR2004 - a pair
    return _is_seconds(value)


def _is_pages(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(n, int) and n >= 1 for n in value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """The switches."""

    # Shapes
    dates: str = _switch("spaced", "how dates are printed", "spaced", "collapsed")
    question_variant_id: str = _switch(
        "string",
        "its type in REST responses; alternate: both, in turn",
        "string",
        "integer",
        "alternate",
    )
    webhook_question_variant_id: str = _switch("integer", "its type in pushes", "integer", "string", "alternate")
    show_full_object: bool = _switch(True, "feedback/show also returns type and dm_id")
    dismiss_visible: bool = _switch(False, "a dismissal creates an update and a field `dismissed`")
    create_status: int = _switch(200, "HTTP status of a created card", 200, 201)
    urls_as_tco: bool = _switch(True, "URLs in sent DMs are returned as t.co links, with the original in entities.urls")

    # Answers
    missing_param: str = _answer("403/38", "a required parameter is missing (alt. 400/38)")
    invalid_param: str = _answer("400/214", "a parameter is invalid")
    feedback_privilege: bool = _switch(True, "the accounts have the feedback privilege")
    no_privilege: str = _answer("403/220", "response without the feedback privilege (alt. 403/87)")
    dm_not_allowed: str = _answer("403/349", "the customer cannot be messaged (alt. 403/150)")
    dm_unknown_recipient: str = _answer("404/50", "the recipient of a DM does not exist (alt. 404/108)")
    pair_limit: str = _answer("429/88", "second card within 24 h (alt. 403/226, 403/185)")
    card_daily_limit: str = _answer("429/88", "more than cards_per_day")
    duplicate_dm: str = _switch("sent", "the same text again to the same customer", "sent", "403/187", "403/151")
    dm_daily_limit: str = _answer("429/88", "more than dms_per_day or app_dms_per_day")
    feedback_not_found: str = _answer("404/34", "feedback/show of an unknown or foreign id")
    events_refused: str = _answer("400/214", "feedback/events: bad times, count or cursor")
    submit_twice: str = _answer("409/0", "the same part is submitted again")
    submit_after_dismiss: str = _answer("403/0", "submit after dismiss")
    submit_expired: str = _answer("403/0", "submit after the card expired")
    oauth_clock: str = _switch("wall", "the clock that OAuth timestamps are checked against", "wall", "sandbox")
    oauth_tolerance_s: int = _switch(300, "how many seconds an OAuth timestamp may deviate")
    oauth_body_hash: str = _switch("accept", "oauth_body_hash in a signature", "accept", "refuse")
    shut_down: bool = _switch(False, "v1.1 is shut down: every route responds with 410, code 251")

    # Who can be messaged
    users_can_dm: str = _switch("present", "can_dm on users/show and users/lookup", "present", "missing")
    friendships_can_dm: str = _switch("present", "can_dm on friendships/show", "present", "missing")
    auto_create_customers: bool = _switch(False, "an unknown numeric id becomes a customer when it is first used")

    # Limits
    dms_per_day: int = _switch(1_000, "DMs per account and 24 h")
    app_dms_per_day: int = _switch(15_000, "DMs per app (consumer key) and 24 h")
    v2_dms_per_day: int = _switch(1_440, "DMs over v2 per account, and per app, and 24 h")
    cards_per_day: int = _switch(1_000, "cards per account and 24 h")
    card_uses_dm_budget: bool = _switch(False, "a card's DM counts towards dms_per_day")
    reply_allowance: int = _switch(5, "DMs that do not count towards the limit in the 24 h after an inbound DM")
    pair_scope: str = _switch("pair", "what the limit of one card per 24 h applies to", "pair", "recipient", "off")
    test_cards_count: bool = _switch(True, "cards with test=true count towards the pair's 24 h limit")
    dismiss_frees_slot: bool = _switch(False, "a dismissed card no longer counts towards the pair's 24 h limit")
    rate_limits: bool = _switch(True, "15-minute windows on GETs")
    rate_window_s: int = _switch(900, "length of a rate window, in seconds of the sandbox clock")
    rate_headers_on_posts: bool = _switch(False, "x-rate-limit-* headers on POSTs too")
    rate_reset_clock: str = _switch("sandbox", "the clock of x-rate-limit-reset", "sandbox", "wall")

    # The card
    create_accepts_query: bool = _switch(False, "feedback/create also reads the query string")
    card_expires_after_s: float | None = _checked(None, "lifetime of a card; null: unlimited", _is_seconds_or_none)
    card_dm_in_list: bool = _switch(True, "the card's DM appears in events/list, and over v2 in dm_events")
    nps_unrendered: bool = _switch(False, "NPS cards do not render, so customers' scripts ignore them")

    # Reading
    list_lag_s: Any = _checked((0, 180), "staleness of the DM list: seconds, or [least, most]", _is_span)
    conversation_lag_s: float = _switch(0.0, "staleness of v2's conversation with one person, in seconds")
    list_texts: str = _switch("typed", "how the DM list shows a text", "typed", "visible", "escaped", "rewritten")
    list_empty_pages: Any = _checked((), "numbers of DM list pages that are empty, with a cursor", _is_pages)
    list_short_pages: bool = _switch(False, "DM list pages contain a third of count")
    events_24h_rule: bool = _switch(True, "to_time must be at most now - 24 h")
    events_count_required: bool = _switch(True, "feedback/events without count is refused")
    events_range: str = _switch("event_time", "what from_time and to_time select", "event_time", "created_at")
    events_retention_s: float | None = _checked(None, "age at which events disappear; null: never", _is_seconds_or_none)
    events_empty_pages: Any = _checked((), "numbers of event pages that are empty, with a cursor", _is_pages)
    events_short_pages: bool = _switch(False, "event pages contain a third of count")
    events_repeat: bool = _switch(False, "every later event page repeats the last event of the page before")
    events_order: str = _switch("oldest_first", "order of events", "oldest_first", "newest_first")
    events_end: str | None = _switch("", "the next_cursor of the last page", "", None, "missing")

    # Pushes
    link_previews: bool = _switch(False, "a link preview bot opens the link of every DM before the customer does")
    webhooks: bool = _switch(True, "feedback webhooks are pushed")
    webhook_on_create: bool = _switch(True, "feedback.created is pushed, not only feedback.updated")
    webhook_signature: bool = _switch(False, "pushes have the header x-twitter-webhooks-signature")
    activity_form: str = _switch("x_activity", "how DMs are pushed", "x_activity", "account_activity")
    webhook_retries: int = _switch(0, "how often a push without a 2xx response is retried, at intervals of 5 s")

    def merged(self, changes: Mapping[str, Any]) -> "Assumptions":
        """These switches with `changes` applied; ValueError names the switch and what it accepts."""
        known = {item.name: item for item in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"There is no assumption named {name!r}.")
            _check(name, value, known[name].metadata, known[name].default)
        return replace(self, **changes)


def described(now: Assumptions) -> dict[str, dict[str, Any]]:
    """Name -> value, default, meaning and choices (empty: any value of the default's kind)."""
    values = asdict(now)
    return {
        item.name: {
            "value": values[item.name],
            "default": item.default,
            "meaning": item.metadata["meaning"],
            "choices": list(item.metadata.get("choices", ())),
        }
        for item in fields(now)
    }


def _check(name: str, value: object, metadata: Mapping[str, Any], default: object) -> None:
    choices = metadata.get("choices")
    if "check" in metadata:
        good, wanted = metadata["check"](value), f"something like {default!r}"
    elif choices:
        good, wanted = value in choices and type(value) in {type(one) for one in choices}, f"one of {choices}"
    else:
        good, wanted = type(value) is type(default), f"a {type(default).__name__}"
    if not good:
        raise ValueError(f"The assumption {name!r} must be {wanted}, not {value!r}.")
