"""An answer of X that is no success, as an `XError`: from status, headers and body.

A code counts before a status. Of X's own words only the name of a field is kept: they may quote what we sent.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from service.x_api.bodies import Complaint, complaints
from service.x_api.codes import CODES, PROBLEMS, SAID_BEFORE, STATUSES
from service.x_api.errors import AccountProblem, Meaning, OutcomeUnknown, RateLimited, Temporary, Unexplained, XError
from service.x_api.fields import date_or_none
from service.x_api.rate import reset_from

_ELSEWHERE = Meaning(Temporary, "redirected", "X (or something before it) sent us elsewhere: is base_url right?")
_UNEXPLAINED = Meaning(Unexplained, "unexplained", "X refuses the request and gives no code we know.")
_HAD_BEFORE = Meaning(
    Unexplained, "duplicate", "X seems to have this message from us already.", looked=True, had_before=True
)
_UNWELL = Meaning(Temporary, "server_error", "X had an error of its own.")
_UNKNOWN = Meaning(OutcomeUnknown, "outcome_unknown", "X gave no clear answer to a send: it may have been done.")

BAD_REQUEST, FORBIDDEN, SERVER_ERROR = 400, 403, 500
_GAVE_UP = frozenset({408, 499})
"""Whoever stands before X had no answer of it in time."""

_CODE_OUTWEIGHS = frozenset({BAD_REQUEST, FORBIDDEN})
"""A code we do not know still shows that X looked at this one request; other statuses say enough by themselves."""

_QUOTED = re.compile(r'`[^`]*`|"[^"]*"|\[.*\]', re.DOTALL)
"""What X repeats of ours says nothing of its own."""

_FIELDS = re.compile(
    r"\b(to_user_id|recipient_id|message|text|privacy_url|external_id|question_variant_id|display_name|type|test"
    r"|from_time|to_time|count|cursor|user_id|screen_name|target_id|id)\b"
)


def error_from(
    response_status: int, headers: Mapping[str, str], body_bytes: bytes, *, sends: bool, now: datetime
) -> XError:
    """The error an answer means. `sends`: if the request was carried out, it has written to a customer."""
    headers = {name.lower(): value for name, value in headers.items()}
    found = complaints(body_bytes)
    said, words = _speaking(found), " ".join(_QUOTED.sub("", each.words) for each in found).casefold()
    row = _row(said, words, response_status, sends=sends)
    shown = _UNKNOWN if sends and (_says_nothing(response_status) or row.maybe_sent) else row
    details: dict[str, Any] = {
        "reason": shown.reason,
        "code": said.code,
        "http_status": response_status,
        "transaction": transaction_of(headers),
        "dated": date_of(headers),
        "row": row,
    }
    if shown.kind is RateLimited:
        return RateLimited(shown.sentence, reset_at=reset_from(headers, now), **details)
    return shown.kind(shown.sentence + _named_field(shown, said), **details)


def transaction_of(headers: Mapping[str, str]) -> str | None:
    """X's own number for this call, which its support asks for."""
    found = headers.get("x-transaction-id") or headers.get("x-transaction") or ""
    return "".join(char for char in found if char.isascii() and char.isprintable())[:64] or None


def date_of(headers: Mapping[str, str]) -> datetime | None:
    """X's time of its answer, to the second; None: it tells none."""
    return date_or_none(headers.get("date"))


def _speaking(found: tuple[Complaint, ...]) -> Complaint:
    """The error that counts: one we know before others, and of those what is about our account before the rest."""
    return min(found, key=_rank, default=Complaint(None, ""))


def _rank(said: Complaint) -> tuple[bool, ...]:
    row = _known(said)
    ours = row is not None and row.kind is AccountProblem
    # a problem may stand around the errors that have codes, and be no second one
    return row is None, said.code not in CODES, not ours, said.code is None


def _known(said: Complaint) -> Meaning | None:
    return CODES.get(said.code or 0) or PROBLEMS.get(said.problem or "")


def _row(said: Complaint, words: str, status: int, *, sends: bool) -> Meaning:
    row = _known(said)
    if row is None and sends and re.search(SAID_BEFORE, words):
        return _HAD_BEFORE
    if row is None and said.code is not None and status in _CODE_OUTWEIGHS:
        return _UNEXPLAINED
    row = row or STATUSES.get(status) or _by_hundreds(status)
    wanted, other = row.or_else or ("", None)
    return CODES[other] if other is not None and re.search(wanted, words) else row


def _says_nothing(status: int) -> bool:
    """Whether a POST may have been carried out: only a 4xx says that it was not."""
    return status < BAD_REQUEST or status >= SERVER_ERROR or status in _GAVE_UP


def _by_hundreds(status: int) -> Meaning:
    if status < BAD_REQUEST:
        return _ELSEWHERE
    return _UNEXPLAINED if status < SERVER_ERROR else _UNWELL


def _named_field(row: Meaning, said: Complaint) -> str:
    """X names the rejected field in prose that may quote our value, so only names we know are taken from it."""
    words = _FIELDS.search(said.words) if row.names_a_field else None
    return f" It names {words[1]}." if words else ""
