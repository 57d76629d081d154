"""The kinds of value a setting can have: marshmallow fields and rules that read TOML or say what would be right.

A span of time, a time zone, quiet hours, an address, a network. Also used by the grammar of sources. Never knows which
setting it is for.
"""

import re
import ssl
from collections.abc import Callable, Mapping
from datetime import time, timedelta
from ipaddress import ip_network
from typing import Any, NewType
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from marshmallow import ValidationError, fields, validate

from service.clock import zone_names

Rule = Callable[[Any], Any]

LEAST_OF_A_KEY = 32
PORTS = 2**16
LONGEST = timedelta(days=36_500)  # beyond that, dates before year 1 could result
UNIT_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
NAME = validate.Regexp(
    r"^[a-z][a-z0-9_-]{0,63}\Z",
    error="a name has lower-case letters, digits, '-' and '_', starts with a letter, and has at most 64 characters",
)
HOST_AND_PORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]*):[0-9]{1,5}")
X_USER_ID = r"^[1-9][0-9]{0,18}$"  # for JSON Schema too; the hash of one with a leading zero is nobody's
DATABASE = validate.Regexp(
    r"^(sqlite:///(?!:memory:|file:).|postgresql(\+psycopg)?://.)",
    error="must be sqlite:/// and a file, or postgresql:// and a server",
)
NOT_EMPTY = validate.Length(min=1)
LONGEST_NAME = 120


def to_listen_on(value: str) -> None:
    """Demand an address to listen on. Raises ValidationError."""
    if HOST_AND_PORT.fullmatch(value) is None or host_and_port(value)[1] >= PORTS:
        raise ValidationError("must be host:port, such as '127.0.0.1:8000'")


def host_and_port(bind: str) -> tuple[str, int]:
    """Split such an address: the host without brackets, empty for all."""
    host, _, port = bind.rpartition(":")
    return host.strip("[]"), int(port)


def names(given: Mapping[str, Any]) -> None:
    """Ids and what they are called, each a short text on one line. Raises ValidationError."""
    for each in (word for pair in given.items() for word in pair):
        if not isinstance(each, str) or not 0 < len(each.strip()) <= LONGEST_NAME or not each.isprintable():
            raise ValidationError(f"must be texts of 1 to {LONGEST_NAME} characters on one line, id = name")


def an_x_user_id(given: str) -> None:
    """X's own number of a user. Raises ValidationError."""
    if not is_x_user_id(given):
        raise ValidationError("an X user id is 1 to 19 digits without a leading zero, written as a string")


def is_x_user_id(given: str) -> bool:
    """Whether this is a numeric X user id. `$` alone would let a line break after the digits pass."""
    return re.fullmatch(X_USER_ID, given) is not None


class Duration(fields.Field[timedelta]):
    """A span of time: a number and a unit, such as `90s`, `5m`, `24h`, `7d`."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> timedelta:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)", value) if isinstance(value, str) else None
        if match is None:
            raise ValidationError("a span of time is a number and a unit, such as '90s', '5m', '24h' or '7d'")
        seconds = float(match[1]) * UNIT_SECONDS[match[2]]
        if seconds > LONGEST.total_seconds():
            raise ValidationError(f"a span of time is at most {LONGEST.days}d")
        return timedelta(seconds=seconds)


class Zone(fields.Field[ZoneInfo]):
    """A time zone by its IANA name."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> ZoneInfo:
        if not isinstance(value, str) or value not in zone_names():
            raise ValidationError("no such time zone; write an IANA name such as 'Europe/Berlin' or 'UTC'")
        return ZoneInfo(value)


class Secrets(tuple[str, ...]):
    """Secrets of which the first is used and any is accepted: new and old while one is being rotated."""

    __slots__ = ()


Handle = NewType("Handle", str)
"""An account's handle, always without the @."""


class AHandle(fields.String):
    """A handle, as people write it: with the @ or without."""

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> Handle:
        return Handle(str(super()._deserialize(value, *args, **kwargs)).removeprefix("@"))


class OneOrMore(fields.Field[Secrets]):
    """One text, or a list of them."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Secrets:
        given = [value] if isinstance(value, str) else value
        if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
            raise ValidationError('must be a text in quotes, or a list of them: ["new", "old"]')
        return Secrets(given)


class QuietHours(fields.Field[tuple[time, time]]):
    """Two times of day between which we write to nobody, such as `["21:00", "08:00"]`."""

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> tuple[time, time]:
        try:
            given = value if isinstance(value, list | tuple) else ()
            start, end = (each if isinstance(each, time) else time.fromisoformat(each) for each in given)
        except (TypeError, ValueError) as error:
            raise ValidationError('quiet hours are two times of day, such as ["21:00", "08:00"]') from error
        if start.tzinfo or end.tzinfo:
            raise ValidationError("quiet hours are times of the account's time_zone; write them without an offset")
        if start == end:
            raise ValidationError(
                "quiet hours that end when they start would cover the whole day; leave them out instead"
            )
        return start, end


def keys_of_their_own(values: Secrets) -> None:
    """Demand keys that nobody can guess, each only once. Raises ValidationError."""
    if any(len(each) < LEAST_OF_A_KEY for each in values):
        raise ValidationError(f"must have at least {LEAST_OF_A_KEY} characters; `openssl rand -base64 32` makes one")
    if len(set(values)) < len(values):
        raise ValidationError("contains the same key twice")


def some_time(value: timedelta) -> None:
    """A span that cannot be 0, which would make a busy loop. Raises ValidationError."""
    if not value:
        raise ValidationError("must be longer than 0")


def a_minute(value: timedelta) -> None:
    """A span that is 0, for never, or at least a minute. Raises ValidationError."""
    if timedelta() < value < timedelta(minutes=1):
        raise ValidationError("must be a minute or more, or '0s' for never")


def whole(low: int, high: int) -> Rule:
    """A whole number within bounds."""
    return validate.Range(low, high, error="must be a whole number from {min} to {max}")


def one_of(*words: str) -> Rule:
    """One of a few words."""
    return validate.OneOf(words, error=f"must be {' or '.join(repr(word) for word in words)}")


def a_colour(value: str) -> None:
    """Demand a colour. Raises ValidationError."""
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", value):
        raise ValidationError("must be a colour such as '#1d5fd0'")


def before_a_colon(value: str) -> None:
    """Demand a user of Basic auth, whom a colon ends (RFC 7617). Raises ValidationError."""
    if ":" in value:
        raise ValidationError("must not hold ':', because Basic auth ends the user there: nothing would ever match")


def as_x_writes(value: str) -> None:
    """Demand what a key of X's can be; its ends are warned about elsewhere. Raises ValidationError."""
    inside = value.strip("".join(each for each in value if each.isspace() or not each.isprintable()))
    if not (inside.isascii() and inside.isprintable()):
        raise ValidationError(
            "holds what no key of X's does, such as a line break, typographic quotes or '…'; copy it again"
        )


def http_url(value: str) -> None:
    """Demand a full http(s) address. Raises ValidationError."""
    try:
        parts = urlsplit(value)
        right = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a host or port that is none
        right = False
    if not right or not value.isprintable() or " " in value:
        raise ValidationError("must be a full address such as 'https://feedback.example.com'")


def proxy(value: str) -> None:
    """Demand the address of a proxy: nothing after host and port. Raises ValidationError."""
    http_url(value)
    parts = urlsplit(value)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValidationError("must be a host and a port, such as 'http://proxy.example.com:3128'")


def pem(value: str) -> None:
    """Demand certificates. Raises ValidationError."""
    try:
        ssl.create_default_context().load_verify_locations(cadata=value)
    except (ssl.SSLError, ValueError) as error:
        raise ValidationError("holds no certificates as PEM: -----BEGIN CERTIFICATE----- and what follows") from error


def our_address(value: str) -> None:
    """Demand an address that others are built on. Raises ValidationError."""
    http_url(value)
    if any(sign in value for sign in "?#@"):
        raise ValidationError("must end before any '?' or '#' and hold no user: addresses are made of it")


def network(value: str) -> None:
    """Demand a network of addresses. Raises ValidationError."""
    try:
        ip_network(value, strict=False)
    except ValueError as error:
        raise ValidationError("is no network; write one such as '199.59.148.0/22'") from error


def origin(value: str) -> None:
    """Demand an origin as a browser writes it. Raises ValidationError."""
    if re.fullmatch(r"https?://[a-z0-9.-]+(:[1-9][0-9]{0,4})?", value) is None:
        raise ValidationError("must be such as 'https://board.example.com', in lower case and without a path")


def contact(value: str) -> None:
    """Demand an address a person can write to. Raises ValidationError."""
    if re.fullmatch(r"(mailto:[^\s@]+@[^\s@]+|https://[^\s]+)", value) is None:
        raise ValidationError("must be such as 'mailto:security@example.com' or 'https://example.com/security'")
