"""Words that others wrote: compared regardless of case, width, dashes and invisible characters; shown harmlessly."""

import re
import unicodedata

STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def folded(word: str) -> str:
    """The same for every spelling of a word: somebody who tags `No\u2011Survey` means `no-survey`."""
    plain = "".join(map(_plain, unicodedata.normalize("NFKC", word)))
    return unicodedata.normalize("NFKC", " ".join(plain.casefold().split()))


def bare(word: str) -> str:
    """The same without the marks and pictures that people put around it: “STOP” ✋ means stop."""
    plain = folded(word)
    told = [place for place, char in enumerate(plain) if unicodedata.category(char)[0] in "LMN"]
    return plain[told[0] : told[-1] + 1] if told else ""


def harmless(text: str) -> str:
    """The text made safe for a terminal: no ESC moves the cursor, no mark reverses words."""
    return STEERS.sub(lambda found: ascii(found[0])[1:-1], text)


def _plain(char: str) -> str:
    kind = unicodedata.category(char)
    if kind == "Pd" or char == "\N{MINUS SIGN}":
        return "-"
    return "" if kind == "Cf" or "\ufe00" <= char <= "\ufe0f" else char
