"""Verification without a signature: a token in a header, the query or the body, Basic, or a value in the body.

None of these covers the body: whoever learns the token can say anything, so ask for https and a token of at least 128
random bits.
"""

import base64
import binascii
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Self

from service.intake.delivery.body import parse_root
from service.intake.delivery.formats import BodyProblem
from service.intake.delivery.inbound import Inbound
from service.intake.expressions.compiled import Expression, ExpressionError
from service.intake.expressions.evaluate import TooCostly
from service.intake.verify.signed_parts import as_sent, asked, behind, demand_short, header
from service.intake.verify.verifier import HeaderName, Key, Keyed, Refusal, Verifier, secrets_of
from service.settings.declare import REQUIRED, setting
from service.settings.values import NOT_EMPTY, one_of

BODIES = {"token": ("json", "form"), "body": ("json", "form", "multipart", "xml")}
"""What is read for a token, from whoever sends it, is quickly read; a value is looked for when a signature vouched."""

NOT_AS_WRITTEN = frozenset("+&#% ")  # means something else in an address


@dataclass(frozen=True, slots=True, kw_only=True)
class Static(Keyed):
    """A token in a header (behind a scheme such as `Bearer `), in the query or in the body."""

    kind: ClassVar[str] = "static"
    header: HeaderName | None = setting(None, "the header that holds it")
    query: str | None = setting(None, "or the query parameter that holds it; note that addresses get logged")
    body: Expression | None = setting(
        None, "or where it is in the body (JSON or a form, 256 kB at most); bodies are stored, so prefer a header"
    )
    scheme: str = setting("", "a prefix before it in the header, such as `Bearer `")

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """It has one place."""
        if sum(bool(place) for place in (self.header, self.query, self.body)) != 1:
            yield "header", "write either header, query or body: the place of the token"

    def keyed(self, keys: Sequence[tuple[int, str]]) -> Self:
        """Put the tokens to it."""
        headers, query = ({name} if name else set() for name in (self.header, self.query))
        return replace(self, secrets=secrets_of(keys), secret_headers=frozenset(headers), secret_query=frozenset(query))

    def check(self, inbound: Inbound, _now: datetime) -> int:
        """Return the index of the token that was sent. Raises Refusal."""
        if self.body is not None:
            demand_short(inbound.body)
            return _index(self.secrets, _in_body(self.body, inbound, "token"))
        if self.header is None:
            assert self.query is not None, "one of three places"
            return _index(self.secrets, asked(inbound, self.query, "token"))
        text = behind(self.scheme, inbound, self.header)
        return _index(self.secrets, text, as_sent(text))  # headers are read as latin-1, and most write UTF-8

    def advice(self) -> Iterator[str]:
        """A token that would arrive as another one."""
        if self.query and any(
            not NOT_AS_WRITTEN.isdisjoint(key.secret.decode("utf-8", "replace")) for key in self.secrets
        ):
            yield f"'{self.query}' stands in the address: there write + as %2B, & as %26, # as %23, % as %25"


@dataclass(frozen=True, slots=True, kw_only=True)
class Basic(Keyed):
    """User and password of RFC 7617; the keys are the passwords, or the users."""

    kind: ClassVar[str] = "basic"
    user: str | None = setting(None, "the user, if the keys are passwords", NOT_EMPTY, secret=True)
    key_is: str = setting("password", "what the keys are", one_of("password", "user"))

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """Somebody must be named."""
        if self.key_is == "password" and not self.user:
            yield "user", "is missing"
        if self.key_is == "password" and ":" in (self.user or ""):
            yield "user", "must not hold ':', because Basic auth ends the user there: nothing would ever match"

    def check(self, inbound: Inbound, _now: datetime) -> int:
        """Return the index of the key that was sent with the right user. Raises Refusal."""
        scheme, _, encoded = header(inbound, "authorization", "token").partition(" ")
        if scheme.lower() != "basic":
            raise Refusal("token_unreadable", "The header authorization must begin with 'Basic '.")
        try:
            user, _, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
        except (ValueError, binascii.Error) as error:
            raise Refusal("token_unreadable", "The credentials are not base64 of user:password.") from error
        if self.key_is == "user":
            return _index(self.secrets, user)  # such as an API key, before `:X`
        assert self.user is not None, "demanded with passwords"
        right_user = hmac.compare_digest(user.encode(), self.user.encode())
        index = _index(self.secrets, password)
        if not right_user:
            raise Refusal("token_wrong", "The user is not the source's.")
        return index


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyEquals(Verifier):
    """A value in the body that must be one of the expected ones. Proves nothing alone: only inside all_of."""

    kind: ClassVar[str] = "body_equals"
    expression: Expression = setting(REQUIRED, "where the value stands in the body")
    equals: Any = setting(REQUIRED, "a text it must be, or a list of texts")

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """Only the body counts, and it must be compared with something."""
        if not self._expected or not all(isinstance(each, str) and each for each in self._expected):
            yield "equals", "must be a text, or a list of texts"
        if self.expression.roots - {"b", "root"}:
            yield "expression", "may look at b and root only"

    def check(self, inbound: Inbound, _now: datetime) -> None:
        """Accept a body with an expected value. Raises Refusal otherwise."""
        text = _in_body(self.expression, inbound, "body").encode("utf-8", "replace")
        if not any([hmac.compare_digest(each.encode(), text) for each in self._expected]):  # noqa: C419 - compares all
            raise Refusal("body_differs", f"'{self.expression.text}' is not one of the expected values.")

    def covered(self, _inbound: Inbound) -> str:
        """Say what it covers."""
        return "one value of the body"

    @property
    def _expected(self) -> list[str]:
        given = [self.equals] if isinstance(self.equals, str) else self.equals
        return list(given) if isinstance(given, list | tuple) else []


def _in_body(expression: Expression, inbound: Inbound, what: str) -> str:
    try:
        root = parse_root(inbound, BODIES[what])
        found = expression.read({"b": root, "root": root})
    except (BodyProblem, ExpressionError, TooCostly) as error:
        raise Refusal("body_unreadable", "The body has no value to compare.") from error
    if found is None or isinstance(found, bool | dict | list):
        raise Refusal(f"{what}_{'missing' if what == 'token' else 'differs'}", f"'{expression.text}' finds no text.")
    return str(found)


def _index(keys: tuple[Key, ...], given: str, *also: bytes) -> int:
    offered = (given.encode("utf-8", "replace"), *also)
    hits = [key.index for key in keys for raw in offered if hmac.compare_digest(key.secret, raw)]
    if not hits:
        raise Refusal("token_wrong", "The token matches no key of the source.")
    return hits[0]
