"""An answer that is only known after a commit shared with others.

A server that supports it (`service/listening`) settles many in one call. Any other settles this one when it starts to
read the answer, because WSGI lets an application name its status that late.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import flask

from service.errors import PROBLEM_JSON, problem
from service.web.problems import refusal_of
from service.web.statuses import PHRASES


@dataclass(frozen=True, slots=True)
class PlainText:
    """A body that is not JSON, for callers that expect text of their own."""

    text: str
    content_type: str


Outcome = Mapping[str, Any] | PlainText | Exception
Settle = Callable[[Sequence[Any]], Sequence[Outcome]]
JSON = "application/json"
OURS = frozenset({"Content-Type", "Content-Length"})


@dataclass(slots=True)
class ResponseStart:
    """An answer that can begin: WSGI's `start_response`, and the headers it has in any case.

    `counted` is called with the status when it is known.
    """

    start_response: Any
    headers: list[tuple[str, str]]
    counted: Callable[[int], None]

    def tell(self, outcome: Outcome) -> Iterable[bytes]:
        """Begin the answer, now that the outcome is known, and return its body."""
        if isinstance(outcome, Exception):
            return self._begin(*_refusal(outcome, dict(self.headers).get("X-Request-Id", "")))
        if isinstance(outcome, PlainText):
            return self._begin(200, outcome.text.encode(), {"Content-Type": outcome.content_type})
        return self._begin(200, _written(outcome), {"Content-Type": JSON})

    def _begin(self, status: int, body: bytes, headers: Mapping[str, str]) -> Iterable[bytes]:
        self.counted(status)
        mine = [*headers.items(), ("Content-Length", str(len(body)))]
        self.start_response(f"{status} {PHRASES[status]}", [*self.headers, *mine])
        return [body]


@dataclass(slots=True)
class DeferredBody:
    """The body of an answer that waits for what `settle` makes of `matter`, or for the error it returns.

    The length of the matter is that of what was sent.
    """

    answer: ResponseStart
    matter: Sized
    settle: Settle

    def __iter__(self) -> Iterator[bytes]:
        [outcome] = self.settle([self.matter])
        yield from self.answer.tell(outcome)


class DeferredResponse(flask.Response):
    """The same for a Flask view: its headers are made on the way out, its body later."""

    def __init__(self, matter: Sized, settle: Settle) -> None:
        super().__init__(content_type=JSON)
        self.matter = matter
        self.settle = settle
        self.counted: Callable[[int], None] = _nobody
        """Told of the status when it is known."""

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:  # noqa: ARG002 - WSGI's
        """Be what answers; the status is named when it is read."""
        kept = [(name, value) for name, value in self.headers if name not in OURS]
        return DeferredBody(ResponseStart(start_response, kept, self.counted), self.matter, self.settle)


def _nobody(_status: int) -> None:
    """Nobody asked to be told."""


def _written(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def _refusal(error: Exception, request_id: str) -> tuple[int, bytes, Mapping[str, str]]:
    """Status, body and headers of an error."""
    told = refusal_of(error)
    return told.status, json.dumps(problem(told, request_id)).encode(), {"Content-Type": PROBLEM_JSON, **told.headers}
