"""The verifiers without a signature: a token in a header or the query, Basic authentication, a value in the body.

In: what is expected and an `Inbound`. Out: the index of the key that fits. None of them covers the body: whoever
learns the token can say anything, so ask for https and a token of at least 128 random bits.
"""

import base64
import binascii
import hmac
from dataclasses import dataclass, field
from datetime import datetime

from service.intake.body import BodyProblem, parse_root
from service.intake.expressions import Expression, ExpressionError
from service.intake.inbound import Inbound
from service.intake.verify_keyed import Key
from service.intake.verify_parts import Refusal, header, jsonable


@dataclass(frozen=True, slots=True)
class Static:
    """A token that stands in a header (behind a scheme such as `Bearer `) or in the query."""

    keys: tuple[Key, ...]
    header: str | None = None
    query: str | None = None
    scheme: str = ""
    kind: str = "static"


@dataclass(frozen=True, slots=True)
class Basic:
    """User and password of RFC 7617; the keys are the passwords."""

    keys: tuple[Key, ...]
    user: str = field(default="", repr=False)
    kind: str = "basic"


@dataclass(frozen=True, slots=True)
class BodyEquals:
    """A value in the body that must be one of the expected ones. Proves nothing alone: only inside all_of."""

    expression: Expression
    expected: tuple[str, ...]
    body_kinds: tuple[str, ...]
    kind: str = "body_equals"


def check_static(verifier: Static, inbound: Inbound, _now: datetime) -> int:
    """Return the index of the token that was sent. Raises Refusal."""
    if verifier.header is not None:
        given = header(inbound, verifier.header, "token")
        if given[: len(verifier.scheme)].lower() != verifier.scheme.lower():
            raise Refusal("token_unreadable", f"The header {verifier.header} must begin with '{verifier.scheme}'.")
        return _index(verifier.keys, given[len(verifier.scheme) :].strip())
    name = verifier.query or ""
    if name in inbound.repeated_query:
        raise Refusal("token_repeated", f"The query names {name} more than once.")
    if not inbound.query.get(name):
        raise Refusal("token_missing", f"The query has no {name}.")
    return _index(verifier.keys, inbound.query[name])


def check_basic(verifier: Basic, inbound: Inbound, _now: datetime) -> int:
    """Return the index of the password that was sent with the right user. Raises Refusal."""
    scheme, _, encoded = header(inbound, "authorization", "token").partition(" ")
    if scheme.lower() != "basic":
        raise Refusal("token_unreadable", "The header authorization must begin with 'Basic '.")
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (ValueError, binascii.Error) as error:
        raise Refusal("token_unreadable", "The credentials are no base64 of user:password.") from error
    right_user = hmac.compare_digest(user.encode(), verifier.user.encode())
    index = _index(verifier.keys, password)
    if not (right_user and colon):
        raise Refusal("token_wrong", "The user is not the source's.")
    return index


def check_body_equals(verifier: BodyEquals, inbound: Inbound, _now: datetime) -> None:
    """Return nothing where the body names an expected value. Raises Refusal."""
    try:
        root = parse_root(inbound, verifier.body_kinds)
        given = jsonable(verifier.expression.read({"b": root, "root": root}))
    except (BodyProblem, ExpressionError) as error:
        raise Refusal("body_unreadable", "The body has no value to compare.") from error
    text = (given or "").encode("utf-8", "replace")
    if not any([hmac.compare_digest(each.encode(), text) for each in verifier.expected]):  # noqa: C419 - compares all
        raise Refusal("body_differs", f"'{verifier.expression.text}' is not one of the expected values.")


def _index(keys: tuple[Key, ...], given: str) -> int:
    raw = given.encode("utf-8", "replace")
    hits = [key.index for key in keys if hmac.compare_digest(key.secret, raw)]
    if not hits:
        raise Refusal("token_wrong", "No key of the source is this token.")
    return hits[0]
