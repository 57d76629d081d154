"""X's documented limits, per account, under the names of the client's methods.

What X answers in its rate headers is the truth of the moment; this table is what to plan with before the first answer
and for the routes that send no headers (both that write). Only facts here: the counting is in accounts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `calls` in any `window`."""

    calls: int
    window: timedelta


_QUARTER = timedelta(minutes=15)
_DAY = timedelta(hours=24)

LIMITS: Mapping[str, Limit] = MappingProxyType(
    {
        "verify_credentials": Limit(75, _QUARTER),
        "show_user": Limit(900, _QUARTER),
        "show_friendship": Limit(180, _QUARTER),
        "list_dms": Limit(15, _QUARTER),
        "list_dms_with": Limit(15, _QUARTER),
        "show_feedback": Limit(180, _QUARTER),
        "list_feedback_events": Limit(1000, _QUARTER),
        "send_dm": Limit(1000, _DAY),
        "create_feedback": Limit(1000, _DAY),
    }
)

CARDS_PER_RECIPIENT = Limit(1, _DAY)
