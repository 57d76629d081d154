"""X's documented limits of what we read, by the names of the client's methods: calls of an account in one window.

What X answers in its rate headers is the truth of the moment; this table is what to plan with before the first answer.
How long a window is, and X's limits of what we write and of its DM list, an account's settings say: plans differ there.
Only facts here: the counting is in accounts.
"""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType

CALLS_PER_WINDOW: Mapping[str, int] = MappingProxyType(
    {"show_user": 900, "show_friendship": 180, "show_feedback": 180, "list_feedback_events": 1000}
)

CARD_AGAIN_AFTER = timedelta(hours=24)
"""X shows one customer one card of an account in this time."""
