"""The marker that stands in for a value which could not be decrypted.

Code that shows values shows it; code that would act on one asks `is_unreadable` first. No column accepts it, so the
stored bytes stay untouched until they are restored from a backup.
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
    """Whether a value is the marker."""
    return isinstance(value, (UnreadableText, UnreadableBytes))
