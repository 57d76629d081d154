"""What a customer answered, as one telling of it: known by the request and the way we asked, never by an id of X.

In: nothing. Out: the value that every channel hands to `ingest`. A way is how we asked and the answer was given; a
channel is how we learnt of it. Holds no rule.
"""

from dataclasses import dataclass
from typing import Literal

from service.results.merge import Update

Way = Literal["card", "quick_reply", "page"]
Channel = Literal["webhook", "events", "show", "page", "dm"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One telling. `feedback_id` is X's id of the card, where that is the way; `unread`: fields nobody could read."""

    request_id: str
    way: Way
    channel: Channel
    told: Update
    feedback_id: str | None = None
    unread: tuple[str, ...] = ()
