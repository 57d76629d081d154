"""Where customers of a source are looked up: what an event said goes in, what the CRM answers comes out.

The worker makes one from a source's definition and settings, for outreach, which knows neither. Asks through `ask` and
holds no connection of its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from service.crm_api.look_up_result import LookUpResult
from service.text import folded

Known = Mapping[str, str | None]
"""What an event said, under the names that stand in the paths of a look-up."""


@dataclass(frozen=True, slots=True)
class Desk:
    """One source's look-up. `ask` makes up to `calls` calls and raises nothing."""

    source: str
    ask: Callable[[Known, datetime], LookUpResult]
    calls: int
    at_once: int
    per_minute: int
    on_x: frozenset[str] = frozenset()
    of_conversation: bool = False  # what is found depends on the conversation, not on the customer alone
    tells_more: bool = False  # it finds tags, agent or team, and only who somebody is is remembered

    def is_elsewhere(self, channel: str | None) -> bool:
        """Whether the event says that the conversation was not on X: then nobody needs to be looked up."""
        return bool(self.on_x) and channel is not None and folded(channel) not in self.on_x

    def may_remember(self, customer_ref: str | None, channel: str | None) -> bool:
        """Whether an answer for this customer is valid for their next conversation too.

        Not if the answer is about the conversation, unless the event itself says that it was on X; nor if it tells more
        than who it is: without a tag such as `no-survey` the next conversation would be asked about.
        """
        surely_on_x = channel is not None and folded(channel) in self.on_x
        return customer_ref is not None and not self.tells_more and (surely_on_x or not self.of_conversation)
