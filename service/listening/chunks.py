"""Finds the end of a chunked body in bytes as they arrive. Pure.

Only the sizes are looked at, each chunk once, however slowly it comes. gunicorn parses the chunks afterwards, in the
thread that reads everybody, so a body may have some thousand of them and no more.
"""

import re
from dataclasses import dataclass

from gunicorn.http.errors import InvalidChunkSize, ParseException

SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?", re.DOTALL)
LINE_AT_MOST = 8190
TRAILERS_AT_MOST = 65_536
CHUNKS_AT_MOST = 20_000  # a streaming sender writes some kB at a time, the oddest one a single word
END_OF_LINE, END_OF_TRAILERS = b"\r\n", b"\r\n\r\n"


class TooManyChunks(ParseException):  # type: ignore[misc]  # gunicorn carries no types
    """A body in chunks of a few bytes each."""


@dataclass(slots=True)
class Chunks:
    """How far the chunks of one body have been followed."""

    at: int = 0
    followed: int = 0

    def end(self, received: bytearray) -> int | None:
        """Return where the body ends; None until it does. Raises InvalidChunkSize, TooManyChunks."""
        while True:
            line_end = received.find(END_OF_LINE, self.at)
            if line_end < 0:
                if len(received) - self.at > LINE_AT_MOST:
                    raise InvalidChunkSize(b"")
                return None
            size = self._size(bytes(received[self.at : line_end]))
            if size == 0:
                return self._end_of_trailers(received, line_end)
            following = line_end + len(END_OF_LINE) + size + len(END_OF_LINE)
            if len(received) < following:
                return None
            self.at = following
            self.followed += 1
            if self.followed > CHUNKS_AT_MOST:
                raise TooManyChunks

    @staticmethod
    def _size(line: bytes) -> int:
        match = SIZE.fullmatch(line)
        if match is None:
            raise InvalidChunkSize(b"")
        return int(match[1], 16)

    @staticmethod
    def _end_of_trailers(received: bytearray, line_end: int) -> int | None:
        found = received.find(END_OF_TRAILERS, line_end)
        if found < 0 and len(received) - line_end > TRAILERS_AT_MOST:
            raise InvalidChunkSize(b"")
        return None if found < 0 else found + len(END_OF_TRAILERS)
