"""Texts to and from X: cleaned for both databases, made readable, and compared. Nothing here ever raises.

X sends HTML entities and t.co links; what comes out is what a person typed. `clean` removes NUL (PostgreSQL refuses it)
and replaces lone surrogates, legal in JSON and in no database, by U+FFFD.
"""

import html
import re
import unicodedata
from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import Any

from service.text import normal

_SURROGATE = re.compile("[\ud800-\udfff]")
_ENTITIES = {"&amp;": "&", "&lt;": "<", "&gt;": ">"}
_ENTITY = re.compile("|".join(_ENTITIES))
_ENDLESS = re.compile("&#[0-9]{10,};?")
"""A reference to no character; of some thousand digits Python makes no number."""

_SCHEME = re.compile(r"https?://")
_TCO = re.compile(r"t\.co/\w+")
# these look behind them: tried from each place of a long run, they would take as long as its square
_LAST_SLASH = re.compile(r"(?<!/)/+(?=[\s.,;:!?)\]]|$)")
_LINK = re.compile(r"(?<![\w-])(?<![\w-]\.)(?:https?://)?(?:[\w-]+\.)+[a-z]{2,}(?:/\S*)?")
_VARIATION = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0]")
_CUT = re.compile(r"(?:\u2026|\.\.\.)\s*$")
_NEAR = 0.85
_TELLING = 18
"""Letters of ours that make a text ours, and not anybody's greeting."""
_LONG_ENOUGH = 2000
"""Characters that decide whether two texts are nearly the same: comparing grows with the square of their length."""


def clean(text: str) -> str:
    """The text without NUL and with U+FFFD for every lone surrogate."""
    return _SURROGATE.sub("\ufffd", text.replace("\x00", ""))


def readable(text: str, urls: object = None) -> str:
    """The text as it was typed: `&amp; &lt; &gt;` undone once, t.co links replaced by their `expanded_url`."""
    typed = _ENTITY.sub(lambda found: _ENTITIES[found[0]], text)
    links = _links(urls)
    if not links:
        return typed
    # Longest first: t.co/ab must not be found inside t.co/abc.
    known = "|".join(re.escape(url) for url in sorted(links, key=len, reverse=True))
    return re.sub(known, lambda found: links[found[0]], typed)


def same_text(ours: str, shown: str) -> bool:
    """Whether a text X shows can be the one we sent.

    Forgiving on purpose (space, case, schemes, final slashes, links X did not expand, invisible characters): mistaking
    a message for ours leaves one customer without a second message, failing to recognise it would send it twice.
    """
    left, right = _normal(ours), _normal(shown)
    return len(left) == len(right) and all(map(_same_word, left, right))


def nearly_same_text(ours: str, shown: str) -> bool:
    """Whether a text X shows is so similar that it may be ours, altered in an unforeseen way. Never a proof."""
    left, right = _letters(ours), _letters(shown)
    if not shown.strip():  # a list that shows no texts
        return True
    if not left or not right:
        # Signs and pictures only: nothing is left to tell them apart by.
        return not left and not right
    if left.startswith(right) and (len(right) >= _TELLING or _CUT.search(shown)):  # a list that shows beginnings
        return True
    if len(left) >= _TELLING and left in right:  # a list that writes something before or behind it
        return True
    return left == right or SequenceMatcher(None, left, right, autojunk=False).ratio() >= _NEAR


def _normal(text: str) -> list[str]:
    text = _SCHEME.sub("", normal("NFC", _seen(text)).casefold())
    return _LAST_SLASH.sub("", text).split()


def _letters(text: str) -> str:
    """Only letters and digits, without links: what no list alters."""
    plain = _LINK.sub("", normal("NFKC", _seen(text)).casefold())
    return "".join(char for char in plain if char.isalnum())[:_LONG_ENOUGH]


def _seen(text: str) -> str:
    """The visible text: entities resolved, without invisible characters (zero-width, bidi, soft hyphens)."""
    for _ in range(2):  # once for X's escaping, once for a list that shows it escaped again
        text = html.unescape(_ENDLESS.sub("\ufffd", text))
    return "".join(map(_visible, _VARIATION.sub("", clean(text))))


def _visible(char: str) -> str:
    if char.isspace():
        return " "
    return "" if unicodedata.category(char) in {"Cf", "Cc", "Cn", "Co"} else char


def _same_word(left: str, right: str) -> bool:
    return left == right or _covers(left, right) or _covers(right, left)


def _covers(shortened: str, word: str) -> bool:
    """A t.co link X did not expand matches any link; what is around it (brackets, a full stop) must be equal."""
    found = list(_TCO.finditer(shortened))
    if not found or not ("." in word or "/" in word):
        return False
    before, after = shortened[: found[0].start()], shortened[found[-1].end() :]
    return len(word) > len(before) + len(after) and word.startswith(before) and word.endswith(after)


def _links(urls: object) -> dict[str, str]:
    entries = urls if isinstance(urls, list) else []
    return dict(filter(None, map(_link, entries)))


def _link(entry: Any) -> tuple[str, str] | None:
    if not isinstance(entry, Mapping):
        return None
    short, full = entry.get("url"), entry.get("expanded_url")
    return (short, clean(full)) if isinstance(short, str) and short and isinstance(full, str) and full else None
