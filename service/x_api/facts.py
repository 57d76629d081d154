"""What X knows, as frozen dataclasses: who we are, users, messages, cards and their answers, pages of both.

Built from values that were checked. None always means that X did not say. Times are aware and UTC, ids are text.
"""

from dataclasses import dataclass
from datetime import datetime


class ParseProblem(ValueError):
    """X sent something invalid. `field` says where, `sentence` what."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(f"{field}: {sentence}")
        self.field = field
        self.sentence = sentence

    def within(self, place: str) -> "ParseProblem":
        """The same problem, seen from the object around it."""
        return ParseProblem(f"{place}.{self.field}", self.sentence)


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """Who we are to X. `access_level` must be `read-write-directmessages` to write."""

    id: str
    screen_name: str | None = None
    access_level: str | None = None


@dataclass(frozen=True, slots=True)
class User:
    """A user; `can_dm` None means that X did not say, which is not a no."""

    id: str
    screen_name: str | None = None
    can_dm: bool | None = None


@dataclass(frozen=True, slots=True)
class Friendship:
    """Whether we may write to the other user; None: X did not say."""

    can_dm: bool | None = None
    target_id: str | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """One quick reply of a DM: what the customer taps, and what comes back to us when they do."""

    label: str
    metadata: str


@dataclass(frozen=True, slots=True)
class DirectMessage:
    """One message: `text` as it was typed (links expanded, entities undone), `raw_text` as X shows it.

    `tapped` is the metadata of the quick reply that made it; None: it was typed.
    """

    id: str
    sender_id: str | None = None
    recipient_id: str | None = None
    text: str = ""
    raw_text: str = ""
    created_at: datetime | None = None
    tapped: str | None = None


@dataclass(frozen=True, slots=True)
class DmPage:
    """One page, newest first. Only `next_cursor` None is the end; an empty page is not."""

    events: tuple[DirectMessage, ...]
    next_cursor: str | None
    problems: tuple[ParseProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class Activity:
    """What X pushes about one of our accounts: its messages, in and out."""

    user_id: str
    messages: tuple[DirectMessage, ...]
    problems: tuple[ParseProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class Feedback:
    """A card and the customer's answer so far; score and text come separately, with dates of their own.

    `unread` names fields X sent in an unknown form: they are absent, and count as a sign of change at X.
    """

    id: str
    dm_id: str | None = None
    from_user_id: str | None = None
    to_user_id: str | None = None
    external_id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    score: int | None = None
    score_at: datetime | None = None
    text: str | None = None
    text_at: datetime | None = None
    unread: tuple[str, ...] = ()

    @property
    def is_answered(self) -> bool:
        """Whether the customer has given anything."""
        return self.score is not None or self.text is not None


@dataclass(frozen=True, slots=True)
class FeedbackPage:
    """One page of events, each a card as it was, in no particular order.

    Only `next_cursor` None is the end; an empty page is not.
    """

    events: tuple[Feedback, ...]
    next_cursor: str | None
    problems: tuple[ParseProblem, ...] = ()
