"""What goes wrong, told while it happens, from the ledger's own history. Never shows what customers wrote.

Whatever goes as usual is not mentioned.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.db import reading
from service.demo.cast import Customer
from service.demo.crm import PostedDelivery
from service.demo.http_call import OK
from service.models import feedback_request, result_update, send_attempt, transition
from service.states import State, sentence_of

tr, snd, upd, fr = transition.c, send_attempt.c, result_update.c, feedback_request.c
MESSAGES = {"dm": "opening DM", "card": "card"}
FOUND = {
    "dm_list": "in X's DM list", "feedback": "from the feedback object that arrived",
    "answered": "from the answer that the customer gave through it",
}  # fmt: skip
CHANNELS = {"events": "polling feedback/events", "show": "querying feedback/show"}


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One thing that happened. `mood`: trouble, mended, or plain."""

    who: str
    what: str
    mood: str = "plain"


@dataclass(slots=True)
class Feed:
    """Remembers what it has printed."""

    engine: Engine
    people: Mapping[str, Customer]  # by conversation id
    _transition: int = 0
    _update: int = 0
    _settled: set[str] = field(default_factory=set)

    def news(self) -> list[FeedItem]:
        """What happened since the last call."""
        with reading(self.engine) as connection:
            return [*self._transitions(connection), *self._found(connection), *self._recovered(connection)]

    def _transitions(self, connection: Connection) -> Iterator[FeedItem]:
        query = sa.select(transition, fr.conversation_id, fr.account).join(feedback_request, fr.id == tr.request_id)
        for row in connection.execute(query.where(tr.id > self._transition).order_by(tr.id)):
            self._transition = row.id
            tell = SENTENCES.get((row.event, row.reason)) or SENTENCES.get((row.event, None))
            if tell is not None:
                yield tell(self._name(row.conversation_id), row)

    def _found(self, connection: Connection) -> Iterator[FeedItem]:
        """Sends nobody knew about, cleared up."""
        looked_up = snd.evidence.in_(tuple(FOUND))
        query = sa.select(send_attempt, fr.conversation_id).join(feedback_request, fr.id == snd.request_id)
        for row in connection.execute(query.where(looked_up, snd.outcome == "sent").order_by(snd.settled_at)):
            if row.id not in self._settled:
                self._settled.add(row.id)
                what = f"the {MESSAGES[row.kind]} was found {FOUND[row.evidence]}. It had arrived and is not sent again"
                yield FeedItem(self._name(row.conversation_id), what, "mended")

    def _recovered(self, connection: Connection) -> Iterator[FeedItem]:
        """Answers whose webhook never came."""
        query = sa.select(result_update, fr.conversation_id).join(feedback_request, fr.id == upd.request_id)
        found: dict[str, list[str]] = {}
        for row in connection.execute(query.where(upd.id > self._update).order_by(upd.id)):
            self._update = row.id
            if row.channel in CHANNELS and (row.score is not None or row.text is not None):
                found.setdefault(row.channel, []).append(self._name(row.conversation_id))
        for channel, names in found.items():
            what = f"X's webhook was lost or late. The answer arrives by {CHANNELS[channel]}"
            yield FeedItem(names[0], what if len(names) == 1 else f"{what} (and of {', '.join(names[1:])})", "mended")

    def _name(self, conversation_id: str) -> str:
        customer = self.people.get(conversation_id)
        return customer.name if customer is not None else conversation_id


Tell = Callable[[str, Any], FeedItem]
SENTENCES: Mapping[tuple[str, str | None], Tell] = {
    ("postponed", "rate_limited"): lambda who, row: FeedItem(
        who, f"X answers 429. The account '{row.account}' pauses until X's rate limit window ends", "trouble"
    ),
    ("unclear", None): lambda who, _: FeedItem(
        who, "X gives no clear answer to a send, so it may have arrived. It is looked up, not sent again", "trouble"
    ),
    ("switched", "way_barred"): lambda who, _: FeedItem(who, "is asked with a link to our page instead of the card"),
    ("switched", None): lambda who, row: FeedItem(
        who, f"X refuses the card to '{row.account}'. A link to our page follows, without a second opening", "mended"
    ),
    ("retried", "proven_unsent"): lambda who, _: FeedItem(
        who, "X's DM list, read after its delay, proves that it never arrived. It is sent now", "mended"
    ),
    ("retried", None): lambda who, _: FeedItem(who, "X has a problem. Nothing was sent; the call repeats", "trouble"),
    ("stopped", None): lambda who, row: FeedItem(who, _stopped(row)),
}  # fmt: skip


def _stopped(row: Any) -> str:
    sentence = sentence_of(row.reason) if row.to_state == State.SKIPPED else f"{row.reason}: {row.detail or ''}"
    return f"not asked ({row.reason}). {sentence}"


def of_posts(posted: Sequence[PostedDelivery]) -> list[FeedItem]:
    """What the CRM did other than report an end, and how it was answered."""
    return [
        FeedItem("CRM", f"{each.delivery.note}: {each.status}{_said(each)}") for each in posted if not each.accepted
    ]


def _said(posted: PostedDelivery) -> str:
    counted = [name for name in ("accepted", "duplicate", "ignored", "unmappable") if posted.said.get(name)]
    reasons = ", ".join(posted.said.get("reasons", []))
    if posted.status != OK:
        return ", nothing is stored" if posted.status else ": no response, so the CRM tries again"
    return f", {', '.join(counted)}{f' ({reasons})' if reasons else ''}"
