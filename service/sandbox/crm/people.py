"""Whom the CRMs know: people told through /_control, found by their id or by one of their conversations.

Also remembers every request and what is to go wrong. One memory for all vendors, under one lock.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from service.sandbox.crm.faults import Fault

KEY = "sandbox-crm-key"
"""Opens nothing but a sandbox: the token, the password, the client's secret, whichever a vendor wants."""


@dataclass(frozen=True, slots=True)
class Known:
    """A customer as a CRM knows them. Without id and handle the CRM does not know who they are on X."""

    customer: str
    conversations: tuple[str, ...] = ()
    x_user_id: str | None = None
    handle: str | None = None
    on_x: bool = True  # whether their conversations took place there

    @property
    def number(self) -> int | str:
        """The id as JSON has it: most vendors number their customers."""
        return int(self.customer) if self.customer.isdecimal() else self.customer


@dataclass(frozen=True, slots=True)
class Ended:
    """A conversation that ended: whose, and when (seconds since 1970)."""

    conversation: str
    customer: str
    at: float
    agent: int = 901
    tags: tuple[str, ...] = ()

    @property
    def number(self) -> int | str:
        """The customer's id as JSON has it."""
        return Known(self.customer).number


@dataclass(frozen=True, slots=True)
class CrmAsked:
    """One call that was made."""

    vendor: str
    path: str
    status: int


@dataclass(slots=True)
class Crms:
    """The memory. `everybody`: who is not known is made up, with their id as the number in their handle."""

    everybody: bool = False
    people: dict[str, Known] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    asked: list[CrmAsked] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    ended: list[Ended] = field(default_factory=list)
    page: int = 100  # the most that a page of a list holds, whatever is asked for
    begun: int = 0  # since when the cursors that were given out go on
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, person: Known) -> None:
        """Know somebody, or know them anew."""
        with self.lock:
            self.people[person.customer] = person

    def by_customer(self, customer: str) -> Known | None:
        """The customer with this id."""
        return self.people.get(customer) or (self._made_up(customer) if self.everybody else None)

    def by_conversation(self, conversation: str) -> Known | None:
        """Whose conversation it is."""
        with self.lock:
            found = next((each for each in self.people.values() if conversation in each.conversations), None)
        return found or (self._made_up(conversation) if self.everybody else None)

    def end(self, *ended: Ended) -> None:
        """Let conversations have ended, to be told of by lists."""
        with self.lock:
            self.ended += ended

    def was_on_x(self, ended: Ended) -> bool:
        """Whether a conversation took place there."""
        person = self.people.get(ended.customer)
        return person is None or person.on_x

    def expire(self) -> None:
        """Let every token of client credentials end before its time."""
        with self.lock:
            self.tokens.clear()

    def _made_up(self, word: str) -> Known:
        number = "".join(each for each in word if each.isdecimal())[:10] or "1"
        return Known(word, x_user_id=number, handle=f"user{number}")


def ended_from(raw: Mapping[str, Any]) -> Ended:
    """A conversation that ended, from JSON. Raises ValueError, saying what is wrong."""
    unknown = set(raw) - {each.name for each in fields(Ended)}
    if unknown or not {"conversation", "customer", "at"} <= set(raw):
        raise ValueError(f"An end has conversation, customer, at (seconds), agent, tags; not {dict(raw)!r}.")
    return Ended(**{**raw, "tags": tuple(raw.get("tags", ()))})


def known_from(raw: Mapping[str, Any]) -> Known:
    """A person from JSON. Raises ValueError, saying what is wrong."""
    unknown = set(raw) - {each.name for each in fields(Known)}
    if unknown or not isinstance(raw.get("customer"), str):
        raise ValueError(f"A person has customer (a text), conversations, x_user_id, handle, on_x; not {dict(raw)!r}.")
    return Known(**{**raw, "conversations": tuple(raw.get("conversations", ()))})
