"""Every way X says no, or says nothing, in our words: one table of codes, one of HTTP statuses, one function.

In: status, headers and body of an answer. Out: an `XError` whose class says what may be done next. A code speaks
before a status. No error ever carries a message we sent: of X's own words only the name of a field is kept.

    XError
    |-- Unreachable       nothing was sent: safe to try again
    |-- OutcomeUnknown    a send that may have arrived: look it up, never send again blindly
    |-- Temporary         X or the clock is unwell and nothing was sent: try again later
    |-- RateLimited       too soon: come back at reset_at (None: nobody knows)
    |-- AccountProblem    our app or account: hold everything this account wants to send
    |-- RecipientRefused  this customer cannot be written to
    |-- MessageRefused    this message cannot be sent as it is
    |-- NotFound          no such thing, or no such path
    |-- Retired           X has closed this endpoint
    `-- AlreadyDone       it was done before
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from service.x_api.rate import reset_from


class XError(Exception):
    """X did not do what we asked. `reason` is a stable word, `sentence` is for an operator, `transaction` for X."""

    def __init__(
        self,
        sentence: str,
        *,
        reason: str,
        code: int | None = None,
        http_status: int | None = None,
        transaction: str | None = None,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.reason = reason
        self.code = code
        self.http_status = http_status
        self.transaction = transaction

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.reason!r}, code={self.code}, http_status={self.http_status})"


class Unreachable(XError):
    """No connection came about, so nothing was sent. Safe to try again."""


class OutcomeUnknown(XError):
    """A send was begun and no readable answer came. Look it up at X: sending again may be a second message."""


class Temporary(XError):
    """X (or our clock) is unwell and nothing was sent. Try again later."""


class RateLimited(XError):
    """Not sent, because too much was. `reset_at` is when to come back, None where X does not say."""

    def __init__(self, sentence: str, *, reset_at: datetime | None = None, **details: Any) -> None:
        super().__init__(sentence, **details)
        self.reset_at = reset_at


class AccountProblem(XError):
    """The app, its keys or the account is refused: every further request would be too, or would make it worse."""


class RecipientRefused(XError):
    """This one customer cannot be written to, until something between them and the account changes."""


class MessageRefused(XError):
    """This one message (or its parameters) is refused; the same again would be refused again."""


class NotFound(XError):
    """X knows no such thing."""


class Retired(XError):
    """The endpoint is gone; only a new version of this service can help."""


class AlreadyDone(XError):
    """X had done it before; nothing happened now."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a code or a status means to us."""

    kind: type[XError]
    reason: str
    sentence: str


CODES: Mapping[int, Row] = MappingProxyType(
    {
        # The account: stop, a person has to act.
        32: Row(AccountProblem, "not_authenticated", "X could not authenticate us: check all four keys."),
        64: Row(AccountProblem, "account_suspended", "X has suspended our account."),
        87: Row(AccountProblem, "app_not_permitted", "X does not permit our app here: is feedback_api granted?"),
        89: Row(AccountProblem, "token_invalid", "The access token is invalid or expired: authorise the app again."),
        93: Row(
            AccountProblem,
            "no_dm_permission",
            "The app may not use Direct Messages: change its permission, then authorise it again.",
        ),
        99: Row(AccountProblem, "keys_not_verified", "X could not verify the app's keys."),
        215: Row(AccountProblem, "bad_authentication", "X found no usable authentication in the request."),
        220: Row(AccountProblem, "token_not_allowed", "The access token may not use this resource."),
        226: Row(AccountProblem, "looks_automated", "X thinks the account acts like a robot: let it rest for long."),
        261: Row(AccountProblem, "app_cannot_write", "X has barred the app from writing."),
        326: Row(AccountProblem, "account_locked", "X has locked our account: a person must log in and unlock it."),
        415: Row(AccountProblem, "callback_not_approved", "X does not know the app's call-back address."),
        416: Row(AccountProblem, "app_suspended", "The app is invalid or suspended at X."),
        453: Row(AccountProblem, "access_level", "The app's access level at X does not include this endpoint."),
        # The customer.
        17: Row(RecipientRefused, "no_such_user", "X finds no such user."),
        50: Row(RecipientRefused, "user_not_found", "X finds no such user."),
        63: Row(RecipientRefused, "user_suspended", "X has suspended this user."),
        108: Row(RecipientRefused, "user_unknown", "X cannot find the user to write to."),
        150: Row(RecipientRefused, "not_following", "This user does not follow us, so X does not let us write."),
        151: Row(RecipientRefused, "dm_error", "X could not send the message to this user and gives no further code."),
        349: Row(RecipientRefused, "cannot_dm", "X does not let us write to this user (settings, block or privilege)."),
        389: Row(RecipientRefused, "blocked_by_us", "Our own account has blocked this user."),
        476: Row(RecipientRefused, "sender_not_verified", "X lets only verified senders write to this user."),
        # The message.
        38: Row(MessageRefused, "parameter_missing", "X misses a parameter."),
        187: Row(MessageRefused, "duplicate", "X has this text from us already."),
        214: Row(MessageRefused, "parameter_bad", "X refuses a parameter."),
        354: Row(MessageRefused, "text_too_long", "The text is longer than X allows."),
        # Too much, too soon.
        88: Row(RateLimited, "rate_limit", "X's limit for this endpoint is used up."),
        185: Row(RateLimited, "posting_allowance", "The account's allowance for posting is used up."),
        502: Row(RateLimited, "daily_message_requests", "The account's message requests for today are used up."),
        # X, or the clock.
        130: Row(Temporary, "over_capacity", "X is over capacity."),
        131: Row(Temporary, "internal_error", "X had an internal error."),
        135: Row(Temporary, "clock", "X refuses the time of signing: our clock is wrong, or the request came late."),
        # The rest.
        34: Row(NotFound, "no_such_page", "X knows no such resource or path."),
        144: Row(NotFound, "no_such_post", "X knows no post with this id."),
        68: Row(Retired, "version_retired", "X has closed this version of its API."),
        251: Row(Retired, "endpoint_retired", "X has closed this endpoint."),
        139: Row(AlreadyDone, "already_liked", "X says this was liked before."),
        355: Row(AlreadyDone, "already_subscribed", "X says this subscription exists."),
    }
)

NOTHING_ACCEPTED = frozenset({
    "not_authenticated", "unauthorized", "bad_authentication", "keys_not_verified", "token_invalid",
    "account_suspended", "account_locked", "app_suspended",
})  # fmt: skip
"""The reasons of AccountProblem for which X takes no call at all, a reading one neither."""

STATUSES: Mapping[int, Row] = MappingProxyType(
    {
        400: Row(MessageRefused, "bad_request", "X finds the request wrong and gives no code."),
        401: Row(AccountProblem, "unauthorized", "X does not accept our keys and gives no code."),
        402: Row(AccountProblem, "payment_required", "The plan or the credit of the app at X is used up."),
        403: Row(AccountProblem, "forbidden", "X forbids this and gives no code."),
        404: Row(NotFound, "not_found", "X knows no such resource or path."),
        407: Row(AccountProblem, "proxy_login", "The proxy between us and X wants a login."),
        408: Row(Temporary, "request_timeout", "X waited too long for our request."),
        409: Row(AlreadyDone, "conflict", "X says this was done before."),
        410: Row(Retired, "gone", "X has closed this endpoint."),
        420: Row(RateLimited, "calm_down", "X asks us to slow down."),
        425: Row(Temporary, "too_early", "X asks to try again."),
        429: Row(RateLimited, "too_many_requests", "X's limit for this endpoint is used up."),
    }
)

_ELSEWHERE = Row(Temporary, "redirected", "X (or something before it) sent us elsewhere: is base_url right?")
_REFUSED = Row(MessageRefused, "refused", "X refuses the request and gives no code we know.")
_UNWELL = Row(Temporary, "server_error", "X had an error of its own.")
_UNKNOWN = Row(OutcomeUnknown, "outcome_unknown", "X gave no clear answer to a send: it may have been done.")

BAD_REQUEST, REQUEST_TIMEOUT, FORBIDDEN, SERVER_ERROR = 400, 408, 403, 500
_MAYBE_SENT = frozenset({130, 131})
_NAMES_A_FIELD = frozenset({38, 214})
_FIELDS = re.compile(
    r"\b(to_user_id|recipient_id|message|text|privacy_url|external_id|question_variant_id|display_name|type|test"
    r"|from_time|to_time|count|cursor|user_id|screen_name|target_id|id)\b"
)
_HALF_JSON_CODE = re.compile(rb'"code"\s*:\s*"?(\d{1,6})"?\s*[,}\]]')


def error_from(
    response_status: int, headers: Mapping[str, str], body_bytes: bytes, *, sends: bool, now: datetime
) -> XError:
    """The error an answer means. `sends` says that the request, if it was carried out, has written to a customer."""
    headers = {name.lower(): value for name, value in headers.items()}
    entries = list(_entries(body_bytes))
    code, row = _row([code for code, _ in entries if code is not None], response_status, sends=sends)
    details: dict[str, Any] = {
        "reason": row.reason,
        "code": code,
        "http_status": response_status,
        "transaction": transaction_of(headers),
    }
    if row.kind is RateLimited:
        return RateLimited(row.sentence, reset_at=reset_from(headers, now), **details)
    return row.kind(row.sentence + _named_field(code, entries), **details)


def transaction_of(headers: Mapping[str, str]) -> str | None:
    """X's own number for this call, which its support asks for."""
    found = headers.get("x-transaction-id") or headers.get("x-transaction") or ""
    return "".join(char for char in found if char.isascii() and char.isprintable())[:64] or None


def _row(codes: list[int], status: int, *, sends: bool) -> tuple[int | None, Row]:
    code = next((code for code in codes if code in CODES), codes[0] if codes else None)
    if sends and (_says_nothing(status) or code in _MAYBE_SENT):
        return code, _UNKNOWN
    if code is not None and code in CODES:
        return code, CODES[code]
    if code is not None and status == FORBIDDEN:
        # A code we do not know still shows that X looked at this one request. Without any code a 403 comes from the
        # edge (plan, address, app), and every other request would meet it too.
        return code, _REFUSED
    return code, STATUSES.get(status) or _by_hundreds(status)


def _says_nothing(status: int) -> bool:
    """Statuses after which a POST may have been carried out: only a 4xx says that it was not."""
    return status < BAD_REQUEST or status >= SERVER_ERROR or status == REQUEST_TIMEOUT


def _by_hundreds(status: int) -> Row:
    if status < BAD_REQUEST:
        return _ELSEWHERE
    return _REFUSED if status < SERVER_ERROR else _UNWELL


def _entries(body: bytes) -> Iterator[tuple[int | None, str]]:
    """(code, X's words) of each error in the body; nothing where there is none, whatever the body is."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        if body.lstrip().startswith(b"{"):
            yield from ((int(code), "") for code in _HALF_JSON_CODE.findall(body))
        return
    for entry in _objects(parsed):
        yield _whole(entry.get("code")), str(entry.get("message") or "")


def _objects(parsed: object) -> Iterator[Mapping[str, Any]]:
    """X's forms: a list under `errors`, one object under `error` or `errors`, or the body itself (v2 problem)."""
    if not isinstance(parsed, dict):
        return
    for found in (parsed.get("errors"), parsed.get("error"), parsed):
        candidates = found if isinstance(found, list) else [found]
        yield from (candidate for candidate in candidates if isinstance(candidate, dict))


def _whole(value: object) -> int | None:
    text = "" if isinstance(value, bool) else str(value)
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else None


def _named_field(code: int | None, entries: list[tuple[int | None, str]]) -> str:
    """X names the field it dislikes in prose that may quote our value, so only a name we know is taken from it."""
    if code not in _NAMES_A_FIELD:
        return ""
    words = next((_FIELDS.search(words) for found, words in entries if found == code), None)
    return f" It names {words[1]}." if words else ""
