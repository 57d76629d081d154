"""Words that others wrote: compared regardless of case, width, dashes and invisible characters; shown harmlessly."""

import re
import unicodedata
from typing import Literal

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""What no database of ours can hold: NUL, and half of a letter beyond UTF-16's first plane."""
MARKS_AT_ONCE = re.compile(r"[^\x00-\u02ff\w]{30}")
JOINER = "\u034f"  # shows as nothing, and no mark is sorted past it
STEERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def folded(word: str) -> str:
    """The same for every spelling of a word: somebody who tags `No\u2011Survey` means `no-survey`."""
    if word.isascii():  # nearly every word, and none of the rest is in it
        return " ".join(word.lower().split())
    plain = "".join(map(_plain, normal("NFKC", word)))
    return normal("NFKC", " ".join(_one_i(plain.casefold()).split()))


def as_tag(word: str) -> str:
    """The same for every spelling of a tag, which some help desks write with `_`: `#No_Survey` means `no-survey`."""
    return re.sub("[-_ ]+", "-", folded(word).lstrip("# "))


def normal(form: Literal["NFC", "NFKC", "NFKD"], text: str) -> str:
    """The text in a form of Unicode's. Of marks on one letter a few dozen are sorted together, as UAX 15 has it.

    Sorting takes as long as the square of their number, and stops all else: half a minute for the largest of our forms.
    """
    return unicodedata.normalize(form, MARKS_AT_ONCE.sub(_parted, text))


def bare(word: str) -> str:
    """The same without the marks and pictures that people put around it: “STOP” ✋ means stop."""
    plain = folded(word)
    told = [place for place, char in enumerate(plain) if unicodedata.category(char)[0] in "LMN"]
    return plain[told[0] : told[-1] + 1] if told else ""


def harmless(text: str) -> str:
    """The text made safe for a terminal: no ESC moves the cursor, no mark reverses words."""
    return STEERS.sub(lambda found: ascii(found[0])[1:-1], text)


def _parted(found: re.Match[str]) -> str:
    return found[0] + JOINER if all(map(unicodedata.combining, found[0])) else found[0]


def _one_i(word: str) -> str:
    """With one letter for i: in Turkish \u0130 is the capital of i, and I that of \u0131."""
    return word.replace("i\u0307", "i").replace("\u0131", "i")


def _plain(char: str) -> str:
    kind = unicodedata.category(char)
    if kind == "Pd" or char == "\N{MINUS SIGN}":
        return "-"
    return "" if kind == "Cf" or "\ufe00" <= char <= "\ufe0f" else char
