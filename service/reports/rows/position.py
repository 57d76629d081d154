"""Where a page of a list ends. In: nothing; out, a place in an order, which `cursor.py` writes for strangers."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: the sort key and id of its last row."""

    at: datetime
    id: str
