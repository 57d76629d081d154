"""Keeps spreadsheets from computing what customers wrote: texts are marked, and can be unmarked again.

An apostrophe goes before the sign, at the beginning of a cell and after every separator or line break, in case the file
is split differently than we meant. A sign before a number is no formula.
"""

import re

CUTS = r",;\t|\r\n\x0b\x0c\x85\u2028\u2029"  # what a spreadsheet may take for the end of a cell
NUMBER = rf'[+\-][0-9][0-9 ]*(?:\.[0-9]+)?(?=\Z|[{CUTS}"])'
BEGINS = rf"(?:^|[{CUTS}])"
UNSEEN = " \u00a0\u00ad\u200b-\u200f\u2060\u3000\ufeff"
"""What a spreadsheet may take for nothing before a sign. No cut is: each line break of many would try the rest."""

FORMULA = re.compile(
    rf"""({BEGINS}(?:["{UNSEEN}]*(?=[=@＝＠])|"*(?=[+\-＋－])(?!{NUMBER})))""",  # noqa: RUF001 - full-width signs compute in Japan
    re.ASCII,
)
SIGNS = "=@+-＝＠＋－"  # noqa: RUF001 - as above
ODD_FIRST = re.compile(rf"""[{re.escape(SIGNS)}"\s{UNSEEN}]""", re.ASCII)
SUSPECT = re.compile(rf"""[{CUTS}]["{UNSEEN}]*[{re.escape(SIGNS)}]""", re.ASCII)
"""Nearly no text has it, and looking for it costs a tenth of the whole rule."""

GUARD = re.compile(rf"""({BEGINS}["{UNSEEN}]*)'(?=[{re.escape(SIGNS)}])""", re.ASCII)


def guarded(text: str) -> str:
    """Return a text that no spreadsheet computes."""
    if ODD_FIRST.match(text) is None and SUSPECT.search(text) is None:
        return text
    safe = FORMULA.sub(r"\1'", text)
    return f"'{safe}" if safe.startswith(("\t", "\r", "\n")) else safe


def unguarded(text: str) -> str:
    """Return a guarded text as it was; a text that `guarded` did not make stays unchanged."""
    bare = GUARD.sub(r"\1", text)
    return bare if guarded(bare) == text else text
