"""Finds words in comments, and words that begin so, ignoring case and accents.

Looks only at what the reader may read, so a word in a hidden comment is never found. Done here, because no two
databases fold letters alike.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from service.reports.rows.row import COLUMNS, Columns
from service.text import normal

TEXT = COLUMNS.index("text")
WORD = re.compile(r"\w+")


def folded(text: str) -> str:
    """Text without case and accents: Ärger, ARGER and arger are one."""
    parts = normal("NFKD", text.casefold())
    return "".join(each for each in parts if not unicodedata.combining(each))


@lru_cache(64)
def begun(typed: str) -> tuple[str, ...]:
    """The words that were typed, folded."""
    return tuple(WORD.findall(folded(typed)))


def has(text: str | None, typed: str) -> bool:
    """Whether every typed word is the beginning of a word in the text; signs that fold away are in none."""
    wanted = begun(typed)
    if not text or not wanted:
        return False
    words = WORD.findall(folded(text))
    return all(any(word.startswith(each) for word in words) for each in wanted)


def found(texts: Sequence[str | None], typed: str) -> list[int]:
    """Where the texts are that have it."""
    return [at for at, text in enumerate(texts) if has(text, typed)]


def with_words(columns: Columns, typed: str | None) -> Columns:
    """A page without the rows that do not have them."""
    if typed is None:
        return columns
    here = found(columns[TEXT], typed)
    return tuple([column[at] for at in here] for column in columns)
