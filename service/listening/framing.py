"""Collects bytes until a request is complete: requests with their bodies out, or a refusal. Pure.

gunicorn's parser reads head and chunks, as strict as ever; this only makes sure it has all it needs, so that it never
blocks. A body larger than any route accepts is not collected: the application refuses it by its declared length. A
chunked body that grows too large is refused here.
"""

import io
from typing import Any

from gunicorn.http.body import ChunkedReader, LengthReader
from gunicorn.http.errors import (
    InvalidRequestLine,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.http.message import Request
from gunicorn.http.unreader import Unreader

from service.listening.chunks import Chunks

LINE_AT_MOST = 16_384  # the longest documented query has 250 ids; leaves room for filters
HEAD_AT_MOST = 65_536
END_OF_HEAD = b"\r\n\r\n"
IN_HAND = 4096
"""Of bytes that are here, how many gunicorn's parser gets at once: for every chunk it copies what is left of them."""


class BodyTooLarge(ParseException):  # type: ignore[misc]  # gunicorn carries no types
    """A body in chunks that grew larger than any route takes."""


class BytesAtHand(Unreader):  # type: ignore[misc]  # as above
    """What gunicorn's parser reads from: bytes already here, then the end; never a socket."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self._data, self._at = data, 0

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes, at least as many as asked for if they are here."""
        begin, self._at = self._at, self._at + max(IN_HAND, size_hint or 0)
        return self._data[begin : self._at]


class Incoming:
    """The requests of one connection, as far as they have arrived. `cfg` and `peer` are for gunicorn's parser."""

    def __init__(self, cfg: Any, peer: Any, body_at_most: int) -> None:
        self._cfg, self._peer, self._body_at_most = cfg, peer, body_at_most
        self._received = bytearray()
        self._searched = 0
        self._number = 0
        self._head: Request | None = None
        self._chunks: Chunks | None = None

    @property
    def size(self) -> int:
        """How many bytes wait here."""
        return len(self._received)

    @property
    def has_begun(self) -> bool:
        """Whether a request has begun and is not whole yet."""
        return self._head is not None or bool(self._received)

    @property
    def has_head(self) -> bool:
        """Whether it is the body that is waited for."""
        return self._head is not None

    def feed(self, data: bytes) -> None:
        """Take what has come."""
        self._received += data

    def take(self) -> Request | None:
        """Return the next complete request, its body a file in memory; None: more must come.

        Raises gunicorn's ParseException, after which this connection cannot be read any further.
        """
        if self._head is None and not self._parse_head():
            return None
        end = self._end_of_body()
        if end is None:
            return None
        request, self._head = self._head, None
        assert request is not None
        request._expected_100_continue = False  # noqa: SLF001 - all of it is here: nobody waits for leave to go on
        body = bytes(self._received[:end])
        del self._received[:end]
        request.body = io.BytesIO(_dechunked(request, body) if self._chunks else body)
        self._chunks = None
        return request

    def wants_leave_to_go_on(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body; says so once."""
        if self._head is None or not self._head._expected_100_continue:  # noqa: SLF001 - gunicorn has no other name for it
            return False
        self._head._expected_100_continue = False  # noqa: SLF001 - nor this
        return True

    def _parse_head(self) -> bool:
        if self._received[:2] == b"\r\n":
            del self._received[:2]  # one empty line before a request is forgiven
        end = self._received.find(END_OF_HEAD, max(0, self._searched - len(END_OF_HEAD)))
        self._demand_fits(end)
        if end < 0:
            return False
        end += len(END_OF_HEAD)
        head = bytes(self._received[:end])
        del self._received[:end]
        self._searched = 0
        self._number += 1
        self._head = Request(self._cfg, BytesAtHand(head), self._peer, self._number)
        _demand_no_packing(self._head)
        return True

    def _demand_fits(self, end: int) -> None:
        """Refuse a head that can never become valid, as early as that shows."""
        size = len(self._received) if end < 0 else end
        line = self._received.find(b"\r\n", 0, LINE_AT_MOST + 2)
        if line < 0 and size > LINE_AT_MOST:
            raise LimitRequestLine(size, LINE_AT_MOST)
        if size > HEAD_AT_MOST:
            raise LimitRequestHeaders("too large")
        if end < 0:
            if self._received.find(b"\n\n", max(0, self._searched - 1)) >= 0:
                raise InvalidRequestLine("bare LF")
            self._searched = len(self._received)

    def _end_of_body(self) -> int | None:
        assert self._head is not None
        reader = self._head.body.reader
        if isinstance(reader, LengthReader):
            if reader.length > self._body_at_most:
                self._head.force_close()  # the body stays unread, so no other request can follow
                return 0
            return reader.length if len(self._received) >= reader.length else None
        if not isinstance(reader, ChunkedReader):
            return 0  # no length, no chunks: no body
        self._chunks = self._chunks or Chunks()
        end = self._chunks.end(self._received)
        # twice, because a tiny chunk needs as many bytes around it
        if (len(self._received) if end is None else end) > 2 * self._body_at_most + HEAD_AT_MOST:
            raise BodyTooLarge
        return end


def _demand_no_packing(request: Request) -> None:
    """Refuse a transfer coding besides chunked: gunicorn lets it pass and undoes only the chunks."""
    codings = {each.strip().lower() for name, value in request.headers if name == "TRANSFER-ENCODING"
               for each in value.split(",")}  # fmt: skip
    if packed := codings - {"chunked", "identity"}:
        raise UnsupportedTransferCoding(", ".join(sorted(packed)))


def _dechunked(request: Request, body: bytes) -> bytes:
    """Let gunicorn read the chunks. Raises ParseException if it is stricter than we were."""
    reader = ChunkedReader(request, BytesAtHand(body))
    try:
        pieces = list(iter(lambda: reader.read(len(body)), b""))
    except OSError as error:  # NoMoreData: a truncated chunk
        raise InvalidRequestLine("chunks") from error
    return b"".join(pieces)
