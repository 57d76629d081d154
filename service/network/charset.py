"""Which charset a request's body is in: what its first bytes show, else what its `Content-Type` declares, else UTF-8.

A name nobody knows, or one of the families iso8859 and cp125, does no harm to a body that is UTF-8. Any other body
under a name nobody knows is refused rather than stored: nobody could make sense of it later.
"""

import codecs
import encodings
import pkgutil
from collections.abc import Mapping
from encodings.aliases import aliases

from service.errors import UnknownEncoding

UTF_8 = "utf-8-sig"  # with or without its mark
BOMS = (
    (codecs.BOM_UTF8, UTF_8),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WIDTHS: Mapping[tuple[bool, ...], str] = {
    (True, False, True, False): "utf-16-le",
    (False, True, False, True): "utf-16-be",
    (True, False, False, False): "utf-32-le",
    (False, False, False, True): "utf-32-be",
}
"""By which of the first four bytes are none: JSON, XML and forms begin with two letters of ASCII (RFC 4627)."""

LATIN = ("iso8859", "cp125")  # what gateways declare by default; a text in one is UTF-8 by the rarest chance
WIDE = ("utf-16", "utf-32")  # in these each letter of ASCII has a byte that is none
CALLED_UTF_8 = frozenset({"utf-8", "ascii"})  # what is called ASCII and is more than that is UTF-8
NO_CHARSETS = frozenset({"punycode", "idna", "unicode-escape", "raw-unicode-escape"})
"""Python calls these codecs of text too; nobody writes JSON in one, and the first takes hours for a megabyte."""


NAMES = frozenset({*aliases, *(each.name for each in pkgutil.iter_modules(encodings.__path__))})
"""Of all codecs. Python is asked for no other: it keeps each name it does not find, and a stranger may send many."""


def charset_of(declared: str | None, body: bytes) -> str:
    """Return the codec of a body whose sender declares this charset. Raises UnknownEncoding."""
    shown = next((codec for bom, codec in BOMS if body.startswith(bom)), None)
    shown = shown or WIDTHS.get(tuple(byte != 0 for byte in body[:4]))
    if shown or declared is None:
        return shown or UTF_8
    codec = _codec(declared)
    believed = codec is not None and (body.isascii() or not codec.startswith(LATIN))
    doubtful = not believed or (codec is not None and codec.startswith(WIDE) and 0 not in body)
    if doubtful and is_utf_8(body):
        return UTF_8
    if codec is None:
        sentence = "The declared charset is not supported; send UTF-8."
        raise UnknownEncoding("unknown_charset", sentence)
    return codec


def is_utf_8(body: bytes) -> bool:
    """Whether there is a text in UTF-8."""
    try:
        return bool(body.decode("utf-8").strip())
    except UnicodeDecodeError:
        return False


def _codec(declared: str) -> str | None:
    """Python's codec of this name, unless it is none of text."""
    asked = encodings.normalize_encoding(declared.lower())
    if NAMES.isdisjoint({asked, asked.replace(".", "_")}):
        return None
    try:
        name = codecs.lookup(asked).name
        is_text = isinstance(b" ".decode(asked, "replace"), str)  # base64 and the like are codecs, too
    except (LookupError, ValueError, UnicodeError):
        return None
    if not is_text or name in NO_CHARSETS:
        return None
    return UTF_8 if name in CALLED_UTF_8 else name
