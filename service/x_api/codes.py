"""What each code, problem and status of X means to us: one row each, and nothing about it anywhere else.

To support a new code, add its row here: everything that meets an error reads the row.
"""

from collections.abc import Mapping
from datetime import timedelta

from service.x_api.errors import (
    AccountProblem,
    AlreadyDone,
    Meaning,
    MessageRefused,
    RateLimited,
    RecipientRefused,
    Retired,
    Temporary,
    Unexplained,
    UnknownToX,
)

REST = timedelta(minutes=15)
SAID_BEFORE = r"already (?:been )?(?:said|sent)|duplicate|identical"
"""X has that message from us, in the words it has used for it, or might."""

CODES: Mapping[int, Meaning] = {
    # The account: stop, a person has to act.
    32: Meaning(
        AccountProblem,
        "not_authenticated",
        "X could not authenticate the app and account: check all four keys.",
        stops_reading=True,
    ),
    37: Meaning(
        AccountProblem, "not_authorized_here", "X does not authorise the app to use this endpoint.", few_may=True
    ),
    53: Meaning(
        AccountProblem,
        "basic_login",
        "X does not accept a user and password here; something on the way to X adds them.",
    ),
    64: Meaning(AccountProblem, "account_suspended", "X has suspended the account.", stops_reading=True),
    87: Meaning(
        AccountProblem,
        "app_not_permitted",
        "X does not permit the app to do this: is feedback_api granted?",
        few_may=True,
    ),
    89: Meaning(
        AccountProblem,
        "token_invalid",
        "The access token is invalid or expired: authorise the app again.",
        stops_reading=True,
    ),
    92: Meaning(AccountProblem, "tls_required", "X requires https: is base_url right?", stops_reading=True),
    93: Meaning(
        AccountProblem,
        "no_dm_permission",
        "The app may not use Direct Messages: change its permission, then authorise it again.",
    ),
    99: Meaning(AccountProblem, "keys_not_verified", "X could not verify the app's keys.", stops_reading=True),
    215: Meaning(
        AccountProblem, "bad_authentication", "X found no usable authentication in the request.", stops_reading=True
    ),
    220: Meaning(AccountProblem, "token_not_allowed", "The access token may not use this resource.", few_may=True),
    226: Meaning(AccountProblem, "looks_automated", "X thinks the account is automated: let it rest for a long time."),
    231: Meaning(AccountProblem, "login_unverified", "X wants a person to verify the account's login."),
    261: Meaning(AccountProblem, "app_cannot_write", "X has barred the app from writing."),
    326: Meaning(
        AccountProblem,
        "account_locked",
        "X has locked the account: a person must log in and unlock it.",
        stops_reading=True,
    ),
    415: Meaning(AccountProblem, "callback_not_approved", "X does not know the app's call-back address."),
    416: Meaning(AccountProblem, "app_suspended", "The app is invalid or suspended at X.", stops_reading=True),
    453: Meaning(
        AccountProblem, "access_level", "The app's access level at X does not include this endpoint.", few_may=True
    ),
    467: Meaning(AccountProblem, "plan_excludes", "The app's plan at X does not include this endpoint.", few_may=True),
    # The customer.
    17: Meaning(RecipientRefused, "no_such_user", "X finds no such user."),
    50: Meaning(RecipientRefused, "user_not_found", "X finds no such user."),
    63: Meaning(RecipientRefused, "user_suspended", "X has suspended this user."),
    108: Meaning(RecipientRefused, "user_unknown", "X cannot find the user to write to."),
    136: Meaning(RecipientRefused, "blocked_by_them", "This user has blocked the account.", ends_as="cannot_dm"),
    150: Meaning(
        RecipientRefused,
        "not_following",
        "This user does not follow the account, so X does not allow messages.",
        ends_as="cannot_dm",
    ),
    151: Meaning(
        RecipientRefused,
        "dm_error",
        "X could not send the message to this user and gives no further code.",
        or_else=(SAID_BEFORE, 187),
    ),
    349: Meaning(
        RecipientRefused,
        "cannot_dm",
        "X does not allow messages to this user (settings, block or privilege).",
        ends_as="cannot_dm",
    ),
    389: Meaning(RecipientRefused, "blocked_by_us", "The account itself has blocked this user.", ends_as="cannot_dm"),
    476: Meaning(
        RecipientRefused, "sender_not_verified", "X lets only verified senders write to this user.", ends_as="cannot_dm"
    ),
    # The message.
    38: Meaning(MessageRefused, "parameter_missing", "X says that a parameter is missing.", names_a_field=True),
    187: Meaning(MessageRefused, "duplicate", "X already has this text from the account.", had_before=True),
    214: Meaning(MessageRefused, "parameter_bad", "X refuses a parameter.", names_a_field=True),
    354: Meaning(MessageRefused, "text_too_long", "The text is longer than X allows."),
    # Too much, too soon.
    88: Meaning(RateLimited, "rate_limit", "X's limit for this endpoint is used up."),
    185: Meaning(RateLimited, "posting_allowance", "The account's allowance for posting is used up.", rest=REST),
    344: Meaning(RateLimited, "daily_limit_at_x", "X says that the account has sent enough for today.", rest=REST),
    502: Meaning(
        RateLimited, "daily_message_requests", "The account's message requests for today are used up.", rest=REST
    ),
    # X, or the clock.
    130: Meaning(Temporary, "over_capacity", "X is over capacity.", maybe_sent=True),
    131: Meaning(Temporary, "internal_error", "X had an internal error.", maybe_sent=True),
    135: Meaning(
        Temporary,
        "clock",
        "X refuses the signature's time: this machine's clock is wrong, or the request arrived late.",
    ),
    # The rest.
    34: Meaning(UnknownToX, "no_such_page", "X knows no such resource or path: is base_url right?"),
    144: Meaning(UnknownToX, "no_such_post", "X knows no post with this id."),
    68: Meaning(Retired, "version_retired", "X has closed this version of its API."),
    251: Meaning(Retired, "endpoint_retired", "X has closed this endpoint."),
    139: Meaning(AlreadyDone, "already_liked", "X says this was liked before."),
    355: Meaning(AlreadyDone, "already_subscribed", "X says this subscription exists."),
}

STATUSES: Mapping[int, Meaning] = {
    200: Meaning(
        Unexplained, "only_errors", "X answers only with an unknown kind of error.", looked=True
    ),  # v2 does where it does not find or show the one who is asked for
    301: Meaning(UnknownToX, "moved", "X (or something before it) has moved permanently: is base_url right?"),
    308: Meaning(UnknownToX, "moved_as_it_is", "X (or something before it) has moved permanently: is base_url right?"),
    400: Meaning(Unexplained, "bad_request", "X says that the request is wrong and gives no code: is base_url right?"),
    401: Meaning(
        AccountProblem,
        "unauthorized",
        "X does not accept the keys and gives no code.",
        stops_reading=True,
        may_pass=True,
    ),
    402: Meaning(AccountProblem, "payment_required", "The plan or the credit of the app at X is used up."),
    403: Meaning(
        AccountProblem,
        "forbidden",
        "X forbids this and gives no code.",
        may_pass=True,
        or_else=("permission to dm", 349),
    ),  # v2 has no code for a customer who takes no DM of ours, only words, of which we know these
    404: Meaning(UnknownToX, "not_found", "X knows no such resource or path: is base_url right?"),
    407: Meaning(AccountProblem, "proxy_login", "The proxy on the way to X requires a login."),
    408: Meaning(Temporary, "request_timeout", "X waited too long for the request."),
    409: Meaning(AlreadyDone, "conflict", "X says this was done before."),
    410: Meaning(Retired, "gone", "X has closed this endpoint."),
    420: Meaning(RateLimited, "calm_down", "X asks us to slow down."),
    425: Meaning(Temporary, "too_early", "X asks to try again."),
    429: Meaning(RateLimited, "too_many_requests", "X's limit for this endpoint is used up."),
    499: Meaning(Temporary, "given_up", "Something before X gave up waiting for it."),
}

PROBLEMS: Mapping[str, Meaning] = {
    "client-forbidden": Meaning(AccountProblem, "client_forbidden", "X does not permit the app to use its v2 API."),
    "client-disconnected": Meaning(Temporary, "disconnected", "X has cut the connection."),
    "invalid-request": Meaning(
        MessageRefused, "invalid_request", "X says that a parameter is wrong.", or_else=(SAID_BEFORE, 187)
    ),
    "oauth1-permissions": Meaning(
        AccountProblem, "app_permissions", "The app may not do this: change its permission, then authorise it again."
    ),
    "not-authorized-for-resource": Meaning(RecipientRefused, "not_for_us", "X does not show this user to the account."),
    "resource-not-found": Meaning(RecipientRefused, "no_such_resource", "X finds no such user."),
    "unsupported-authentication": Meaning(
        AccountProblem, "wrong_kind_of_token", "X does not accept this kind of token here.", stops_reading=True
    ),
    "usage-capped": Meaning(RateLimited, "usage_capped", "The app's plan is used up for now.", rest=REST),
}
"""X's v2 names its problems instead of numbering them: the last part of their `type`."""

SIGN_IN_LOST = Meaning(
    AccountProblem,
    "sign_in_lost",
    "The account's sign-in is no longer valid: run `dm-feedback accounts connect`, unless its client_id is wrong.",
    stops_reading=True,
)
"""OAuth 2.0: X takes a refresh token once, and where its successor got lost only a person can sign in again."""

_STOPS = [row for row in (*CODES.values(), *PROBLEMS.values(), *STATUSES.values(), SIGN_IN_LOST) if row.stops_reading]
STOPS_READING = frozenset(row.reason for row in _STOPS)
"""The reasons for which X takes no call at all, a reading one neither: what a hold of an account is remembered by."""

STOPS_AT_ONCE = frozenset(row.reason for row in _STOPS if not row.may_pass)
"""Those that a single reading call tells for sure."""
