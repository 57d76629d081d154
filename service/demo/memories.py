"""What all participants remember of a play: script, posts, ledger and X's truth, with one question per property.

Messages are matched by their words and recipient, never by what another memory says about them. Pure.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.demo.crm import PostedDelivery
from service.demo.read_back import Ledger, RequestRow
from service.demo.script import Script
from service.states import State

Truth = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ShownAnswer:
    """An answer as a supervisor sees it; `suppressed`: its comment is hidden because the group is small."""

    score: int | None
    text: str | None
    suppressed: bool = False


@dataclass(frozen=True, slots=True)
class ToldToTool:
    """What the service told a supervisor's tool: answers by request id, and n of the summary by type."""

    results: Mapping[str, ShownAnswer]
    csv: Mapping[str, ShownAnswer]
    n: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Memories:
    """What all participants remember."""

    script: Script
    posted: Sequence[PostedDelivery]
    ledger: Ledger
    truth: Truth
    told: ToldToTool

    @property
    def requests(self) -> dict[str, RequestRow]:
        """The ledger by id."""
        return {each.id: each for each in self.ledger.requests}

    def at_x(self, via: str) -> list[Mapping[str, Any]]:
        """Messages at X: `dm` one of our own, `card` the one a card hangs on, `customer` one to us."""
        return [each for each in self.truth["messages"] if each["via"] == via]

    @property
    def prompts(self) -> list[Mapping[str, Any]]:
        """DMs at X with the asking text of a request that asks in another way than by card."""
        asking = {(each.x_user_id, each.card_text) for each in self.ledger.requests if not each.by_card}
        return [each for each in self.at_x("dm") if (each["recipient"], frozen(each["text"])) in asking]

    def prompt_id(self, request: RequestRow) -> str | None:
        """X's id of the DM that asks; None in the ledger if an answer proved the send."""
        theirs = (request.x_user_id, request.card_text)
        found = [each["id"] for each in self.prompts if (each["recipient"], frozen(each["text"])) == theirs]
        return request.card_dm_id or next(iter(found), None)

    @property
    def openings(self) -> list[Mapping[str, Any]]:
        """All other DMs of ours."""
        asking = {each["id"] for each in self.prompts}
        return [each for each in self.at_x("dm") if each["id"] not in asking]

    @property
    def answers_at_x(self) -> dict[str, tuple[int | None, str | None]]:
        """What customers answered, by request: on cards, by taps and typed numbers, on pages."""
        found = {
            each["external_id"]: (value_of(each["score"]), value_of(each["text"]))
            for each in self.truth["cards"]
            if each["score"] or each["text"]
        }
        sent = [each for each in self.ledger.requests if each.state == State.CARD_SENT and not each.by_card]
        asked = {each.x_user_id: each.id for each in sent}
        typed = {each["sender"]: (int(each["text"].split()[0]), None) for each in self.at_x("customer")}
        visits = [each for each in self.truth["visits"] if each["score"] is not None or each["text"] is not None]
        given = typed | {each["user_id"]: (each["score"], each["text"]) for each in visits}
        return found | {asked.get(who, f"nobody asked {who}"): said for who, said in given.items()}


LINK = re.compile(r"https?://\S+/f/[A-Za-z0-9_-]+")


def frozen(text: str) -> str:
    """A text as the ledger stores it, with a placeholder instead of the link."""
    return LINK.sub("{page}", text)


def value_of(part: Mapping[str, Any] | None) -> Any:
    """Return a score or a text as X has it; None where there is none."""
    return None if part is None else part["value"]
