"""Language tags: the code a language has today, those it had before, and less specific forms of a tag."""

import re

from service.text import folded

TAG = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*")
CALLED_NOW = {
    "iw": "he", "in": "id", "ji": "yi", "jw": "jv", "mo": "ro", "no": "nb", "tl": "fil",
    "ara": "ar", "ben": "bn", "bul": "bg", "cat": "ca", "ces": "cs", "cze": "cs", "dan": "da", "deu": "de", "dut": "nl",
    "ell": "el", "eng": "en", "est": "et", "fas": "fa", "fin": "fi", "fra": "fr", "fre": "fr", "ger": "de", "gre": "el",
    "heb": "he", "hin": "hi", "hrv": "hr", "hun": "hu", "ind": "id", "isl": "is", "ita": "it", "jpn": "ja", "kor": "ko",
    "lav": "lv", "lit": "lt", "may": "ms", "msa": "ms", "nld": "nl", "nno": "nn", "nob": "nb", "nor": "nb", "per": "fa",
    "pol": "pl", "por": "pt", "ron": "ro", "rum": "ro", "rus": "ru", "slk": "sk", "slo": "sk", "slv": "sl", "spa": "es",
    "sqi": "sq", "srp": "sr", "swe": "sv", "tam": "ta", "tgl": "fil", "tha": "th", "tur": "tr", "ukr": "uk",
    "urd": "ur", "vie": "vi", "zho": "zh", "chi": "zh",
}  # fmt: skip
"""Languages under two codes: Java's and Salesforce's old ones, and the three letters of ISO 639-2."""

ALSO = {
    "zh-cn": "zh-hans", "zh-sg": "zh-hans", "zh-hk": "zh-hant", "zh-mo": "zh-hant", "zh-tw": "zh-hant", "nn": "nb",
}  # fmt: skip
"""What else covers a tag: the script its region writes in, and Norwegian (`no`) all that is Norwegian."""

MOST_PARTS = 8  # of a tag that are told apart: a browser's header has room for four thousand


def nearest_first(language: str | None) -> list[str]:
    """A language and its more general forms: zh-hant-tw, zh-hant, zh; zh-tw, zh-hant, zh. Nothing if none is given."""
    first, *rest = folded(language or "").replace("_", "-").split("-", MOST_PARTS)
    parts = [CALLED_NOW.get(first, first), *rest]
    forms = ["-".join(parts[:length]) for length in range(len(parts), 0, -1) if parts[0]]
    return [each for form in forms for each in (form, ALSO.get(form)) if each]


def plainly(tag: str) -> str:
    """The same for every spelling of a tag: `pt-br` for `pt_BR`. Empty for none."""
    return next(iter(nearest_first(tag)), "")


def called_now(tag: str) -> str:
    """The tag as it is written today: nb-NO for no-NO."""
    first, dash, rest = tag.partition("-")
    return CALLED_NOW.get(first, first) + dash + rest


def ever_called(tag: str) -> list[str]:
    """Every tag of the same language: what was stored when another was usual keeps it."""
    first, dash, rest = called_now(tag).partition("-")
    return [code + dash + rest for code in (first, *(old for old, new in CALLED_NOW.items() if new == first))]
