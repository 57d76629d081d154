"""Decompresses a request and determines its charset.

`Content-Encoding` is undone only after the signature was checked, or if the signature failed. An unknown charset is
refused rather than stored: nobody could make sense of it later. Never looks into the text.
"""

import codecs
from collections.abc import Mapping
from dataclasses import replace

from service.errors import UnknownEncoding
from service.intake.delivery.inbound import Inbound
from service.network.content_encoding import layers, undone

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
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
"""By which of the first four bytes are none: JSON and forms begin with two letters of ASCII (RFC 4627, section 3)."""

UTF_8 = frozenset({"utf-8", "ascii"})  # what is called ASCII and is more than that is UTF-8
NO_CHARSETS = frozenset({"punycode", "idna", "unicode-escape", "raw-unicode-escape"})
"""Python calls these codecs of text too; nobody writes JSON in one, and the first takes hours for a megabyte."""


def packed(inbound: Inbound) -> list[str]:
    """The encodings of the body, outermost first; empty if there are none."""
    return layers(inbound.headers.get("content-encoding"))


def unpacked(inbound: Inbound, limit: int) -> Inbound:
    """Return the request with its body decompressed. Raises TooLarge and UnknownEncoding."""
    charset_of(inbound)
    encodings = packed(inbound)
    if not encodings:
        return inbound
    headers = {name: value for name, value in inbound.headers.items() if name != "content-encoding"}
    return replace(inbound, headers=headers, body=undone(encodings, inbound.body, limit))


def charset_of(inbound: Inbound) -> str | None:
    """Return the codec of the declared charset, or the one its first bytes declare. Raises UnknownEncoding."""
    declared = inbound.parameter("charset")
    if declared is None:
        marked = next((codec for bom, codec in BOMS if inbound.body.startswith(bom)), None)
        return marked or WIDTHS.get(tuple(byte != 0 for byte in inbound.body[:4]))
    try:
        codec = codecs.lookup(declared)
        text = isinstance(b" ".decode(declared, "replace"), str)  # base64 and the like are codecs, too
        text = text and codec.name not in NO_CHARSETS
    except (LookupError, ValueError, UnicodeError):
        text = False
    if not text:
        sentence = "The charset of the Content-Type is not supported; send UTF-8."
        raise UnknownEncoding("unknown_charset", sentence)
    return "utf-8-sig" if codec.name in UTF_8 else codec.name
