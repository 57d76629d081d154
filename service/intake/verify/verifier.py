"""What a verifier is: its verdicts, its keys, and the one method. Reads no request and compares nothing."""

import base64
import binascii
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar, NewType, Self

from service.intake.delivery.inbound import Inbound
from service.settings.declare import setting
from service.settings.values import NOT_EMPTY

HeaderName = NewType("HeaderName", str)  # in lower case, as requests are read


@dataclass(frozen=True, slots=True)
class Verified:
    """The request is the source's. `key_index` is the place in the source's keys; None if no key was needed."""

    key_index: int | None
    verifier: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The request is not proven to be the source's. `code` is for our log, never for the sender."""

    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class NotProvenYet(Refused):
    """It cannot be decided now: the request must be sent again, and is not counted as a wrong one."""


class Refusal(Exception):
    """Raised inside a verifier; becomes a `Refused`."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class NotNow(Refusal):
    """Somebody's published keys are unreachable. The same request may be proven soon."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key and its place in the source's list, so that the log can say which one is in use."""

    index: int
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier(ABC):
    """One way in which a source proves itself.

    `secret_headers` and `secret_query` are what carries a token or a signature, and is never stored.
    """

    kind: ClassVar[str]
    needs_keys: ClassVar[bool] = False
    keys: tuple[str, ...] | None = None
    key_prefix: str = ""
    prefixed_only: bool = False
    secret_headers: frozenset[str] = frozenset()
    secret_query: frozenset[str] = frozenset()

    @abstractmethod
    def check(self, inbound: Inbound, now: datetime) -> int | None:
        """Return the index of the key that matched; None if none was needed. Raises Refusal."""

    def covered(self, _inbound: Inbound) -> str:
        """Say which bytes the proof covers, for people. Raises Refusal."""
        return "no bytes of the body"

    def mistakes(self) -> Iterator[tuple[str, str]]:
        """Settings that would accept somebody else's bytes: a key, and what would be right."""
        return iter(())

    def lacking(self) -> Iterator[tuple[str, str]]:
        """What only the settings can add to a preset."""
        return iter(())

    def advice(self) -> Iterator[str]:
        """What an operator should know about its keys. Never shows one."""
        return iter(())

    def keyed(self, _keys: Sequence[tuple[int, str]]) -> Self:
        """Return it with its keys. Raises ValueError with what is wrong with one."""
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed(Verifier):
    """Verification by keys: those of the source, or its own."""

    needs_keys: ClassVar[bool] = True
    keys: tuple[str, ...] | None = setting(None, "its own keys, instead of the source's", NOT_EMPTY, secret=True)
    secrets: tuple[Key, ...] = ()

    def keyed(self, keys: Sequence[tuple[int, str]]) -> Self:
        """Return it with its keys. Raises ValueError with what is wrong with one."""
        return replace(self, secrets=secrets_of(keys))


def secrets_of(keys: Iterable[tuple[int, str]], encoding: str = "utf8") -> tuple[Key, ...]:
    """Return keys as their bytes. Raises ValueError."""
    return tuple(Key(index, secret_of(text, encoding)) for index, text in keys)


def secret_of(text: str, encoding: str) -> bytes:
    """Return the bytes of a key. Raises ValueError."""
    try:
        if encoding == "hex":
            secret = bytes.fromhex(text)
        elif encoding == "base64":
            secret = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        else:
            secret = text.encode()
    except (ValueError, binascii.Error) as error:
        raise ValueError(f"is not {encoding}") from error
    if not secret:
        raise ValueError("is empty")
    return secret
