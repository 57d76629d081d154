"""One report of what a customer answered, known by the request and the way we asked, never by an id of X's.

Every channel hands this to `ingest`. A way is how we asked and got the answer; a channel is how we learnt of it.
"""

from dataclasses import dataclass
from typing import Literal

from service.results.merge import Update

Way = Literal["card", "quick_reply", "page"]
Channel = Literal["webhook", "events", "show", "page", "dm"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One report. `feedback_id` is X's id of the card, if that is the way; `unread`: fields nobody could read."""

    request_id: str
    way: Way
    channel: Channel
    told: Update
    feedback_id: str | None = None
    unread: tuple[str, ...] = ()
