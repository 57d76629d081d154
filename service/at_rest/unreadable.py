"""What stands where a locked value did not open: in, nothing; out, a word in its place, known apart from what was said.

Whoever shows it goes on past it; whoever would act on it asks `is_unreadable` first; and no column takes it back, so
that what lies there stays until it is put back from a backup.
"""

from typing import Any

WORD = "[unreadable]"


class UnreadableText(str):
    """Stands for a text, or for what is stored as JSON."""

    __slots__ = ()


class UnreadableBytes(bytes):
    """Stands for bytes."""


TEXT, BYTES = UnreadableText(WORD), UnreadableBytes(WORD.encode())


def is_unreadable(value: Any) -> bool:
    """Whether a value that was read is the word in its place."""
    return isinstance(value, (UnreadableText, UnreadableBytes))
