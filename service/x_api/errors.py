"""Every way X says no, or says nothing: the class says what may be done next, the row in `codes` says the rest.

No error ever carries a message we sent.

    XError
    |-- Unreachable       nothing was sent: safe to try again
    |-- OutcomeUnknown    a send that may have arrived: look it up, never send again blindly
    |-- Temporary         X or the clock is unwell and nothing was sent: try again later
    |-- RateLimited       too soon: come back later, `back_at` says when
    |-- AccountProblem    our app or account: hold everything this account wants to send
    |-- RecipientRefused  this customer cannot be written to
    |-- MessageRefused    this message cannot be sent as it is
    |-- Unexplained       refused, and nothing X says tells whether it is the message, the customer or we
    |-- UnknownToX        no such thing; where the call names none of X's things, no such path
    |-- Retired           X has closed this endpoint
    `-- AlreadyDone       it was done before
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

EndsAs = Literal["cannot_dm", "unreachable"]
"""The words for a customer who cannot be written to: the relation forbids it, or there is nobody to reach."""


class XError(Exception):
    """X did not do what we asked. `reason` is a stable word, `sentence` is for operators, `transaction` for X.

    `dated`: X's own time of its answer.
    """

    about_us = False
    """Whether it is said of our app, our account or the path, so that every other request would meet it too."""

    def __init__(
        self,
        sentence: str,
        *,
        reason: str,
        code: int | None = None,
        http_status: int | None = None,
        transaction: str | None = None,
        dated: datetime | None = None,
        row: "Meaning | None" = None,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.reason = reason
        self.code = code
        self.http_status = http_status
        self.transaction = transaction
        self.dated = dated
        self.row = row or Meaning(type(self), reason, sentence)
        """What X said. Of a send it may say that the account is barred and leave open whether the message went."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.reason!r}, code={self.code}, http_status={self.http_status})"


class Unreachable(XError):
    """There was no connection, so nothing was sent. Safe to try again."""


class OutcomeUnknown(XError):
    """A send was begun and no readable answer came. Look it up at X: sending again may send it twice."""


class Temporary(XError):
    """X (or our clock) is unwell and nothing was sent. Try again later."""


class RateLimited(XError):
    """Not sent, because of a limit. `reset_at` is when X says that it ends, None if it does not say."""

    def __init__(self, sentence: str, *, reset_at: datetime | None = None, **details: Any) -> None:
        super().__init__(sentence, **details)
        self.reset_at = reset_at

    def back_at(self, now: datetime) -> datetime | None:
        """When to come back: at X's reset, else after the rest that such a limit asks for; None: nobody knows."""
        return self.reset_at or (now + self.row.rest if self.row.rest else None)


class AccountProblem(XError):
    """The app, its keys or the account is refused: further requests would be refused too, or make it worse."""

    about_us = True


class RecipientRefused(XError):
    """This one customer cannot be written to until something between them and the account changes."""


class MessageRefused(XError):
    """This one message (or its parameters) is refused; sending it again would be refused again."""


class Unexplained(XError):
    """Refused with a code nobody here knows, or with none: never a verdict on one customer or one message."""

    @property
    def about_us(self) -> bool:  # type: ignore[override]  # X's own words decide here, not the class
        """Without a code or words of its own, X (or something in front of it) has not looked at what we sent."""
        return self.code is None and not self.row.looked


class UnknownToX(XError):
    """X knows no such thing. Only 17, 50 and 108 are about a person: otherwise the path is unknown."""

    about_us = True


class Retired(XError):
    """The endpoint is gone; only a new version of this service can help."""

    about_us = True


class AlreadyDone(XError):
    """X had done it before; nothing happened now."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """All that a code or a status means to us."""

    kind: type[XError]
    reason: str
    sentence: str
    ends_as: EndsAs = "unreachable"
    """What a request ends as where this refuses its customer."""

    stops_reading: bool = False
    """X takes no call of the account at all, a reading one neither."""

    may_pass: bool = False
    """Said without a code, so of one call perhaps, or for a moment: others must meet it too before it is about us."""

    few_may: bool = False
    """X grants this endpoint to few: said of a card, another way of asking may be open."""

    maybe_sent: bool = False
    """Said of a send, it leaves open whether the message went."""

    names_a_field: bool = False
    """X's prose names the field it dislikes."""

    looked: bool = False
    """X has looked at this very message, as its words show where there is no code."""

    had_before: bool = False
    """X says that it has this very message from us: after an unclear send the proof that it arrived."""

    rest: timedelta | None = None
    """How long to leave X alone where it names no time; set where it is the account's day and no customer's."""

    or_else: tuple[str, int] | None = None
    """X uses one code for two things: with words in its prose that this finds it means that other code."""
