"""Everything X, and the only room that speaks HTTP to it: one client, one method per endpoint, errors in our words.

In: credentials and plain values. Out: frozen dataclasses, or an `XError` that says what may be done next. Nothing in
here retries, reads our database, or decides whom to write to.
"""

from service.x_api.cards import parse_feedback
from service.x_api.client import Card, XClient
from service.x_api.codes import STOPS_READING
from service.x_api.errors import (
    AccountProblem,
    AlreadyDone,
    MessageRefused,
    OutcomeUnknown,
    RateLimited,
    RecipientRefused,
    Retired,
    Temporary,
    Unexplained,
    UnknownToX,
    Unreachable,
    XError,
)
from service.x_api.facts import (
    DirectMessage,
    DmPage,
    Feedback,
    Friendship,
    OwnAccount,
    ParseProblem,
    User,
)
from service.x_api.oauth1 import Credentials
from service.x_api.oauth2 import Bearer, XSignIn
from service.x_api.v2 import XClientV2
from service.x_api.wire import XAnswer

__all__ = [
    "STOPS_READING",
    "AccountProblem",
    "AlreadyDone",
    "Bearer",
    "Card",
    "Credentials",
    "DirectMessage",
    "DmPage",
    "Feedback",
    "Friendship",
    "MessageRefused",
    "OutcomeUnknown",
    "OwnAccount",
    "ParseProblem",
    "RateLimited",
    "RecipientRefused",
    "Retired",
    "Temporary",
    "Unexplained",
    "UnknownToX",
    "Unreachable",
    "User",
    "XAnswer",
    "XClient",
    "XClientV2",
    "XError",
    "XSignIn",
    "parse_feedback",
]
