"""Everything X, and the only room that speaks HTTP to it: one client, one method per endpoint, errors in our words.

client.py      the endpoints of v1.1                v2.py        those of v2, under the same names
wire.py        one request, one answer              oauth1.py, oauth2.py   signing in
codes.py, errors.py   what X's codes mean to us     refusal.py   an answer that is a refusal, as an error
facts.py       what X knows, as dataclasses         fields.py, parsing.py, cards.py, activity.py   JSON to facts
webhook.py     X's two proofs                       bodies.py    the JSON and errors in a body
texts.py       texts, cleaned and compared          questions.py   the questions X can put on a card
rate.py, limits.py   windows: what is left, what X documents

Takes credentials and plain values; returns frozen dataclasses, or raises an `XError` that says what may be done next.
Nothing in here reads our database or decides whom to write to. Nothing retries, but once what X refused for a spent
OAuth 2.0 token.
"""

from service.x_api.client import Card, XClient
from service.x_api.codes import STOPS_AT_ONCE, STOPS_READING
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
    ParseProblem,
)
from service.x_api.oauth1 import Credentials
from service.x_api.oauth2 import Bearer, XSignIn
from service.x_api.v2 import XClientV2
from service.x_api.wire import XAnswer

__all__ = [
    "STOPS_AT_ONCE",
    "STOPS_READING",
    "AccountProblem",
    "AlreadyDone",
    "Bearer",
    "Card",
    "Credentials",
    "DirectMessage",
    "DmPage",
    "Feedback",
    "MessageRefused",
    "OutcomeUnknown",
    "ParseProblem",
    "RateLimited",
    "RecipientRefused",
    "Retired",
    "Temporary",
    "Unexplained",
    "UnknownToX",
    "Unreachable",
    "XAnswer",
    "XClient",
    "XClientV2",
    "XError",
    "XSignIn",
]
