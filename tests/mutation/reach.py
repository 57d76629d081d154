"""Which test runs which line: in, files to look at; out, lines, while the tracer is on. Threads are seen too."""

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

Line = tuple[str, int]


class Reach:
    """Notes lines of the files it is to look at, and nothing else."""

    def __init__(self, files: Iterable[str]) -> None:
        self._seen: dict[str, set[int]] = {each: set() for each in files}

    @contextmanager
    def noting(self) -> Iterator[None]:
        threading.settrace(self._called)
        sys.settrace(self._called)
        try:
            yield
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]

    def taken(self) -> frozenset[Line]:
        """What has been run since it was asked last."""
        found = frozenset((file, line) for file, lines in self._seen.items() for line in lines)
        for lines in self._seen.values():
            lines.clear()
        return found

    def _called(self, frame: FrameType, _event: str, _said: Any) -> Any:
        lines = self._seen.get(frame.f_code.co_filename)
        if lines is None:
            return None
        lines.add(frame.f_lineno)
        return self._ran

    def _ran(self, frame: FrameType, event: str, _said: Any) -> Any:
        if event == "line":
            self._seen[frame.f_code.co_filename].add(frame.f_lineno)
        return self._ran
