"""An answer that is known after a commit it shares with others: in, a matter; out, a response when it is settled.

A server that knows of it (`service/listening`) settles many by one call. Any other settles this one as it begins to
read the answer: WSGI lets an application name its status as late as that.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import flask
import structlog

from service.errors import PROBLEM_JSON, ServiceError, problem
from service.web.problems import FAULT_OF_OURS

Outcome = Mapping[str, Any] | Exception
Settle = Callable[[Sequence[Any]], Sequence[Outcome]]
log = structlog.get_logger(__name__)


class Later(flask.Response):
    """A response whose body is what `settle` makes of `matter`: JSON, or the error it returns in its place."""

    def __init__(self, matter: Any, settle: Settle) -> None:
        super().__init__()
        self.matter = matter
        self.settle = settle
        self._called: tuple[Any, Any] | None = None

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Be the iterable that answers; the status is named when it is read."""
        self._called = environ, start_response
        return self

    def __iter__(self) -> Iterator[bytes]:
        [outcome] = self.settle([self.matter])
        yield from self.answer(outcome)

    def answer(self, outcome: Outcome) -> Iterable[bytes]:
        """Begin the answer, now that the outcome is known, and return its body."""
        assert self._called is not None
        if isinstance(outcome, Exception):
            self._refuse(outcome)
        else:
            self.content_type = "application/json"
            self.set_data(json.dumps(outcome, separators=(",", ":")) + "\n")
        return super().__call__(*self._called)

    def _refuse(self, error: Exception) -> None:
        if not isinstance(error, ServiceError):
            log.error("unexpected_error", exc_info=error)
            error = ServiceError("internal_error", FAULT_OF_OURS)
        self.status_code = error.status
        self.content_type = PROBLEM_JSON
        self.headers.update(error.headers)
        self.set_data(json.dumps(problem(error, self.headers.get("X-Request-Id", ""))))
