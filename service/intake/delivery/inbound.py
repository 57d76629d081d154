"""One HTTP request as plain values, the same whichever server received it, or from a file.

The address is built from our own public address and never from the Host header, because anybody can write that header
and signatures cover the address. Repeated headers are noted: which of them was signed cannot be known.
"""

import hashlib
import re
from codecs import BOM_UTF8
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

DELIVERIES = "/webhooks/crm/"
"""Under it, by its name, every source is told what ended."""
MAX_STORED_VALUE = 2000
OWS = " \t\r\n"  # what may stand around a header's value; other blanks may be half a letter of UTF-8
CREDENTIAL_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization", "x-api-key"})
REQUEST_LINE = "[A-Za-z]+ [^\\s:]"
HEAD = re.compile(rf"{REQUEST_LINE}|:?[-\w!#$%&'*+.^`|~]+[ \t]*:".encode())
"""How a request line or a header begins, and no body: what stands before an empty line may also be part of one."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """One request. Header names are lower case; `query` holds the first value of each name."""

    method: str
    url: str  # the public one, with the query exactly as sent
    headers: Mapping[str, str]
    repeated_headers: frozenset[str]
    query: Mapping[str, str]
    repeated_query: frozenset[str]
    body: bytes

    @property
    def content_type(self) -> str:
        """The content type without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    def parameter(self, wanted: str) -> str | None:
        """Return a parameter of the content type."""
        for each in self.headers.get("content-type", "").split(";")[1:]:
            name, _, value = each.partition("=")
            if name.strip().lower() == wanted:
                return value.strip().strip('"') or None
        return None

    @property
    def digest(self) -> str:
        """SHA-256 of the body, in hex."""
        return hashlib.sha256(self.body).hexdigest()


def make_inbound(
    method: str, public_url: str, path: str, query: str, headers: Iterable[tuple[str, str]], body: bytes
) -> Inbound:
    """Build an `Inbound`; `public_url` is the setting, `query` the raw string behind the question mark."""
    values, repeated = _first_of_each((name.lower(), value.strip(OWS)) for name, value in headers)
    asked, repeated_query = _first_of_each(parse_qsl(query, keep_blank_values=True))
    address = public_url.rstrip("/") + path + (f"?{query}" if query else "")
    return Inbound(method.upper(), address, values, repeated, asked, repeated_query, body)


def parse_request_file(content: bytes, public_url: str, source: str) -> Inbound:
    """Read a delivery from a file: header lines, an empty line, the body; or the body alone.

    A first line such as `POST /webhooks/crm/NAME?key=1` gives method and query. One newline at the very end is the
    editor's, not the sender's.
    """
    text = content.removeprefix(BOM_UTF8).lstrip()
    gap = re.search(rb"\r?\n\r?\n", text)
    if gap is not None and HEAD.match(text):
        head, body = text[: gap.start()], text[gap.end() :]
    else:
        head, body = b"", content
    body = body.removesuffix(b"\n")
    lines = re.split("\r?\n", head.decode("latin-1"))
    method, path = "POST", f"{DELIVERIES}{source}"
    if re.match(REQUEST_LINE, lines[0]):
        method, _, target = lines.pop(0).partition(" ")
        path = re.sub("^https?://[^/?]*", "", target.split(" ")[0])
    address, _, query = path.partition("?")
    pairs = [(name.strip(), value) for name, _, value in (line.partition(":") for line in lines) if name]
    return make_inbound(method, public_url, address, query, pairs, body)


def storable(values: Mapping[str, str], without: Collection[str]) -> dict[str, str]:
    """Return what may be kept of headers or a query: no credentials, nothing a database refuses."""
    return {
        _clean(name): _clean(value)[:MAX_STORED_VALUE]
        for name, value in values.items()
        if name not in without and name not in CREDENTIAL_HEADERS
    }


def _first_of_each(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, str], frozenset[str]]:
    found: dict[str, str] = {}
    repeated = set()
    for name, value in pairs:
        if name in found:
            repeated.add(name)
        found.setdefault(name, value)
    return found, frozenset(repeated)


def _clean(text: str) -> str:
    """Drop what PostgreSQL refuses (NUL) and what no encoding can hold (lone surrogates)."""
    if text.isascii() and "\x00" not in text:  # nearly every header
        return text
    return text.replace("\x00", "").encode("utf-8", "ignore").decode("utf-8")
