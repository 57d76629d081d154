"""X's documented limits for what we read: calls per account and window, by the names of the client's methods.

X's rate headers are the truth of the moment; this table is for planning before the first answer. The length of a
window, and X's limits for what we write and for its DM list, are in an account's settings, because plans differ there.
Only facts here: `accounts` does the counting.
"""

from collections.abc import Mapping
from datetime import timedelta

CALLS_PER_WINDOW: Mapping[str, int] = {
    "show_user": 900, "show_friendship": 180, "show_feedback": 180, "list_feedback_events": 1000,
}  # fmt: skip

CARD_AGAIN_AFTER = timedelta(hours=24)
"""X shows one customer one card of an account in this time."""
