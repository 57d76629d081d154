"""Words that others wrote: in, a tag, a channel, a language, a text; out, what it is to us, or to a terminal.

Compared without regard to what says nothing: case, width, spaces at the ends, which dash, what cannot be seen. Shown
so that no terminal obeys it.
"""

import re
import unicodedata

STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def folded(word: str) -> str:
    """The same for every way to write one word: who tags `No\u2011Survey` means `no-survey`."""
    plain = "".join(map(_plain, unicodedata.normalize("NFKC", word)))
    return unicodedata.normalize("NFKC", " ".join(plain.casefold().split()))


def nearest_first(language: str | None) -> list[str]:
    """A language and what it is a kind of: zh-hant-tw, zh-hant, zh. Nothing where none is said."""
    parts = folded(language or "").replace("_", "-").split("-")
    return ["-".join(parts[:length]) for length in range(len(parts), 0, -1) if parts[0]]


def harmless(text: str) -> str:
    """The text so that it is shown, not obeyed: no ESC moves the cursor, no mark turns words."""
    return STEERS.sub(lambda found: ascii(found[0])[1:-1], text)


def _plain(char: str) -> str:
    kind = unicodedata.category(char)
    if kind == "Pd" or char == "\N{MINUS SIGN}":
        return "-"
    return "" if kind == "Cf" or "\ufe00" <= char <= "\ufe0f" else char
