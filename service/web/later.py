"""An answer that is known after a commit it shares with others: in, a matter; out, a response when it is settled.

A server that knows of it (`service/listening`) settles many by one call. Any other settles this one as it begins to
read the answer: WSGI lets an application name its status as late as that.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flask
import structlog

from service.errors import PROBLEM_JSON, ServiceError, problem
from service.web.problems import FAULT_OF_OURS
from service.web.statuses import PHRASES


@dataclass(frozen=True, slots=True)
class PlainText:
    """A body that is no JSON, for callers that want words of their own."""

    text: str
    content_type: str


Outcome = Mapping[str, Any] | PlainText | Exception
Settle = Callable[[Sequence[Any]], Sequence[Outcome]]
JSON = "application/json"
OURS = frozenset({"Content-Type", "Content-Length"})
log = structlog.get_logger(__name__)


class Later(flask.Response):
    """A response whose body is what `settle` makes of `matter`: JSON, or the error it returns in its place."""

    def __init__(self, matter: Any, settle: Settle) -> None:
        super().__init__(content_type=JSON)
        self.matter = matter
        self.settle = settle
        self.tell: Callable[[int], None] = _nobody
        """Told of the status when it is known."""
        self._start_response: Any = None

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:  # noqa: ARG002 - WSGI's
        """Be the iterable that answers; the status is named when it is read."""
        self._start_response = start_response
        return self

    def __iter__(self) -> Iterator[bytes]:
        [outcome] = self.settle([self.matter])
        yield from self.answer(outcome)

    def answer(self, outcome: Outcome) -> Iterable[bytes]:
        """Begin the answer, now that the outcome is known, and return its body."""
        if isinstance(outcome, Exception):
            return self._begin(*_refusal(outcome, self.headers.get("X-Request-Id", "")))
        if isinstance(outcome, PlainText):
            return self._begin(200, outcome.text.encode(), {"Content-Type": outcome.content_type})
        return self._begin(200, _written(outcome), {"Content-Type": JSON})

    def _begin(self, status: int, body: bytes, headers: Mapping[str, str]) -> Iterable[bytes]:
        # written out here: the response's own way to WSGI looks for much that cannot be
        self.tell(status)
        kept = [(name, value) for name, value in self.headers if name not in OURS]
        mine = [*headers.items(), ("Content-Length", str(len(body)))]
        self._start_response(f"{status} {PHRASES[status]}", [*kept, *mine])
        return [body]


def _nobody(_status: int) -> None:
    """Nobody asked to be told."""


def _written(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def _refusal(error: Exception, request_id: str) -> tuple[int, bytes, Mapping[str, str]]:
    """Status, body and headers of an error."""
    if not isinstance(error, ServiceError):
        log.error("unexpected_error", exc_info=error)
        error = ServiceError("internal_error", FAULT_OF_OURS)
    return error.status, _written(problem(error, request_id)), {"Content-Type": PROBLEM_JSON, **error.headers}
