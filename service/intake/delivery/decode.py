"""Decompresses a request and determines its charset.

`Content-Encoding` is undone only after the signature was checked, or if the signature failed. Never looks into the
text.
"""

import re
from dataclasses import replace

from service.intake.delivery.inbound import Inbound
from service.network import charset
from service.network.content_encoding import layers, undone

WITHIN = re.compile(rb"\s*<\?xml\s[^>]{0,200}?\sencoding\s*=\s*[\"']([\w.:-]{1,40})", re.ASCII)
"""The charset that XML declares itself."""


def packed(inbound: Inbound) -> list[str]:
    """The encodings of the body, outermost first; empty if there are none."""
    return layers(inbound.headers.get("content-encoding"), inbound.body)


def unpacked(inbound: Inbound, limit: int) -> Inbound:
    """Return the request with its body decompressed. Raises TooLarge and UnknownEncoding."""
    encodings = packed(inbound)
    if not encodings:
        return inbound
    headers = {name: value for name, value in inbound.headers.items() if name != "content-encoding"}
    return replace(inbound, headers=headers, body=undone(encodings, inbound.body, limit))


def readable(inbound: Inbound, limit: int) -> Inbound:
    """The same for one that is to be stored: its charset is known, too."""
    found = unpacked(inbound, limit)
    charset_of(found)
    return found


def charset_of(inbound: Inbound) -> str:
    """Return the codec of the decompressed body. Raises UnknownEncoding."""
    return charset.charset_of(inbound.parameter("charset"), inbound.body)


def xml_charset_of(inbound: Inbound) -> str:
    """Return that of XML, which may name one itself. Where the two differ, bytes tell whether they are UTF-8.

    Otherwise the header's word counts (RFC 7303). Raises UnknownEncoding.
    """
    within = WITHIN.match(inbound.body)
    if within is None:
        return charset_of(inbound)
    named = [charset.charset_of(within[1].decode(), inbound.body)]
    if inbound.parameter("charset") is not None:
        named.insert(0, charset_of(inbound))
    if charset.UTF_8 in named and charset.is_utf_8(inbound.body):
        return charset.UTF_8
    return next((each for each in named if each != charset.UTF_8), charset.UTF_8)
