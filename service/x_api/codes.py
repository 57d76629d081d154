"""What each code, problem and status of X means to us: one row, and nothing about it anywhere else.

In: nothing. Out: three tables. To add a code, add its row here: who meets an error reads the row.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

from service.x_api.errors import (
    AccountProblem,
    AlreadyDone,
    MessageRefused,
    NotFound,
    RateLimited,
    RecipientRefused,
    Retired,
    Row,
    Temporary,
    Unexplained,
)

REST = timedelta(minutes=15)

CODES: Mapping[int, Row] = MappingProxyType(
    {
        # The account: stop, a person has to act.
        32: Row(
            AccountProblem,
            "not_authenticated",
            "X could not authenticate us: check all four keys.",
            stops_reading=True,
        ),
        37: Row(
            AccountProblem, "not_authorized_here", "X does not authorise our app to use this endpoint.", few_may=True
        ),
        53: Row(AccountProblem, "basic_login", "X takes no user and password here: something before it adds them."),
        64: Row(AccountProblem, "account_suspended", "X has suspended our account.", stops_reading=True),
        87: Row(
            AccountProblem,
            "app_not_permitted",
            "X does not permit our app here: is feedback_api granted?",
            few_may=True,
        ),
        89: Row(
            AccountProblem,
            "token_invalid",
            "The access token is invalid or expired: authorise the app again.",
            stops_reading=True,
        ),
        92: Row(AccountProblem, "tls_required", "X wants https: is base_url right?", stops_reading=True),
        93: Row(
            AccountProblem,
            "no_dm_permission",
            "The app may not use Direct Messages: change its permission, then authorise it again.",
        ),
        99: Row(AccountProblem, "keys_not_verified", "X could not verify the app's keys.", stops_reading=True),
        215: Row(
            AccountProblem,
            "bad_authentication",
            "X found no usable authentication in the request.",
            stops_reading=True,
        ),
        220: Row(
            AccountProblem,
            "token_not_allowed",
            "The access token may not use this resource.",
            few_may=True,
        ),
        226: Row(AccountProblem, "looks_automated", "X thinks the account acts like a robot: let it rest for long."),
        231: Row(AccountProblem, "login_unverified", "X wants a person to verify the account's login."),
        261: Row(AccountProblem, "app_cannot_write", "X has barred the app from writing."),
        326: Row(
            AccountProblem,
            "account_locked",
            "X has locked our account: a person must log in and unlock it.",
            stops_reading=True,
        ),
        415: Row(AccountProblem, "callback_not_approved", "X does not know the app's call-back address."),
        416: Row(AccountProblem, "app_suspended", "The app is invalid or suspended at X.", stops_reading=True),
        453: Row(
            AccountProblem, "access_level", "The app's access level at X does not include this endpoint.", few_may=True
        ),
        467: Row(
            AccountProblem,
            "plan_excludes",
            "The app's plan at X does not include this endpoint.",
            few_may=True,
        ),
        # The customer.
        17: Row(RecipientRefused, "no_such_user", "X finds no such user."),
        50: Row(RecipientRefused, "user_not_found", "X finds no such user."),
        63: Row(RecipientRefused, "user_suspended", "X has suspended this user."),
        108: Row(RecipientRefused, "user_unknown", "X cannot find the user to write to."),
        136: Row(RecipientRefused, "blocked_by_them", "This user has blocked our account.", ends_as="cannot_dm"),
        150: Row(
            RecipientRefused,
            "not_following",
            "This user does not follow us, so X does not let us write.",
            ends_as="cannot_dm",
        ),
        151: Row(
            RecipientRefused,
            "dm_error",
            "X could not send the message to this user and gives no further code.",
            or_else=("already said", 187),
        ),
        349: Row(
            RecipientRefused,
            "cannot_dm",
            "X does not let us write to this user (settings, block or privilege).",
            ends_as="cannot_dm",
        ),
        389: Row(RecipientRefused, "blocked_by_us", "Our own account has blocked this user.", ends_as="cannot_dm"),
        476: Row(
            RecipientRefused,
            "sender_not_verified",
            "X lets only verified senders write to this user.",
            ends_as="cannot_dm",
        ),
        # The message.
        38: Row(MessageRefused, "parameter_missing", "X misses a parameter.", names_a_field=True),
        187: Row(MessageRefused, "duplicate", "X has this text from us already.", had_before=True),
        214: Row(MessageRefused, "parameter_bad", "X refuses a parameter.", names_a_field=True),
        354: Row(MessageRefused, "text_too_long", "The text is longer than X allows."),
        # Too much, too soon.
        88: Row(RateLimited, "rate_limit", "X's limit for this endpoint is used up."),
        185: Row(RateLimited, "posting_allowance", "The account's allowance for posting is used up.", rest=REST),
        344: Row(RateLimited, "daily_limit_at_x", "X says that the account has sent enough for today.", rest=REST),
        502: Row(
            RateLimited,
            "daily_message_requests",
            "The account's message requests for today are used up.",
            rest=REST,
        ),
        # X, or the clock.
        130: Row(Temporary, "over_capacity", "X is over capacity.", maybe_sent=True),
        131: Row(Temporary, "internal_error", "X had an internal error.", maybe_sent=True),
        135: Row(Temporary, "clock", "X refuses the time of signing: our clock is wrong, or the request came late."),
        # The rest.
        34: Row(NotFound, "no_such_page", "X knows no such resource or path: is base_url right?"),
        144: Row(NotFound, "no_such_post", "X knows no post with this id."),
        68: Row(Retired, "version_retired", "X has closed this version of its API."),
        251: Row(Retired, "endpoint_retired", "X has closed this endpoint."),
        139: Row(AlreadyDone, "already_liked", "X says this was liked before."),
        355: Row(AlreadyDone, "already_subscribed", "X says this subscription exists."),
    }
)

STATUSES: Mapping[int, Row] = MappingProxyType(
    {
        400: Row(Unexplained, "bad_request", "X finds the request wrong and gives no code: is base_url right?"),
        401: Row(AccountProblem, "unauthorized", "X does not accept our keys and gives no code.", stops_reading=True),
        402: Row(AccountProblem, "payment_required", "The plan or the credit of the app at X is used up."),
        403: Row(
            AccountProblem, "forbidden", "X forbids this and gives no code.", or_else=("permission to dm", 349)
        ),  # v2 has no code for a customer who takes no DM of ours, only these words
        404: Row(NotFound, "not_found", "X knows no such resource or path: is base_url right?"),
        407: Row(AccountProblem, "proxy_login", "The proxy between us and X wants a login."),
        408: Row(Temporary, "request_timeout", "X waited too long for our request."),
        409: Row(AlreadyDone, "conflict", "X says this was done before."),
        410: Row(Retired, "gone", "X has closed this endpoint."),
        420: Row(RateLimited, "calm_down", "X asks us to slow down."),
        425: Row(Temporary, "too_early", "X asks to try again."),
        429: Row(RateLimited, "too_many_requests", "X's limit for this endpoint is used up."),
    }
)

PROBLEMS: Mapping[str, Row] = MappingProxyType(
    {
        "client-forbidden": Row(AccountProblem, "client_forbidden", "X does not permit our app to use its v2 API."),
        "client-disconnected": Row(Temporary, "disconnected", "X has cut the connection."),
        "invalid-request": Row(MessageRefused, "invalid_request", "X finds a parameter wrong."),
        "not-authorized-for-resource": Row(RecipientRefused, "not_for_us", "X does not show us this user."),
        "resource-not-found": Row(RecipientRefused, "no_such_resource", "X finds no such user."),
        "unsupported-authentication": Row(
            AccountProblem, "wrong_kind_of_token", "X does not take this kind of token here.", stops_reading=True
        ),
        "usage-capped": Row(RateLimited, "usage_capped", "The app's plan is used up for now.", rest=REST),
    }
)
"""X's v2 names its problems instead of numbering them: the last part of their `type`."""

STOPS_READING = frozenset(
    row.reason for row in (*CODES.values(), *PROBLEMS.values(), *STATUSES.values()) if row.stops_reading
)
"""The reasons for which X takes no call at all, a reading one neither: what a hold of an account is remembered by."""
