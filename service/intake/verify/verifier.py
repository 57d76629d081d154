"""What a verifier is: its verdicts, its keys, and the one method. Reads no request and compares nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, NewType, Protocol

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


class Verifier(Protocol):
    """One way in which a source proves itself."""

    kind: ClassVar[str]

    @property
    def secret_headers(self) -> frozenset[str]:
        """The headers with a token or a signature, which are never stored."""

    @property
    def secret_query(self) -> frozenset[str]:
        """The query parameters with one."""

    def check(self, inbound: Inbound, now: datetime) -> int | None:
        """Return the index of the key that matched; None if none was needed. Raises Refusal."""

    def covered(self, inbound: Inbound) -> str:
        """Say which bytes the proof covers, for people. Raises Refusal."""

    def advice(self) -> Iterator[str]:
        """What an operator should know about its keys. Never shows one."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key and its place in the source's list, so that the log can say which one is in use."""

    index: int
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """Verification by keys: those of the source, or its own."""

    keys: tuple[str, ...] | None = setting(None, "keys of its own, instead of the source's", NOT_EMPTY, secret=True)
    secrets: tuple[Key, ...] = ()
    secret_headers: frozenset[str] = frozenset()
    secret_query: frozenset[str] = frozenset()

    def advice(self) -> Iterator[str]:
        """None, if a key cannot be worse than the settings allow."""
        return iter(())
