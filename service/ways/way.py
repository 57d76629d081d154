"""What every way of asking is, what it sends, and what X then has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.settings import Account, Texts
from service.states import Kind
from service.x_api import XClient


@dataclass(frozen=True, slots=True)
class Asking:
    """One request as its way sends it; `request_id` travels with it if X allows that."""

    request_id: str
    to_user_id: str
    text: str
    type: str
    question_variant_id: int
    display_name: str | None
    privacy_url: str
    test: bool
    languages: Sequence[str]  # the customer's first, then that of the text
    key: str  # what options of a quick reply are signed with


@dataclass(frozen=True, slots=True)
class Delivered:
    """What X has now: its id of what was sent, the DM that carries it, a card's feedback id, and X's time."""

    x_id: str
    dm_id: str | None
    feedback_id: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Bound:
    """So many messages of these kinds, together, in 24 hours."""

    kinds: tuple[Kind, ...]
    limit: int


@dataclass(frozen=True, slots=True)
class Way:
    """A way of asking. `rest` is how long X itself makes us wait before asking the same recipient again."""

    name: str
    endpoint: str
    rest: timedelta
    send: Callable[[XClient, Asking, datetime], Delivered]
    per_day: Callable[[Account], int]
    shares: tuple[Kind, ...]  # the kinds of message that use up the same allowance at X

    def freeze(self, texts: Texts, values: Mapping[str, str]) -> str:
        """Return the message that asks, which stands in the settings under the way's own name."""
        return str(getattr(texts, self.name) or "").format_map(values)

    def bound(self, account: Account) -> Bound:
        """Return how many messages that ask X lets this account send."""
        return Bound(self.shares, self.per_day(account))
