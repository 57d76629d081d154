"""How a list of rows is sorted, and of what it is a list."""

from dataclasses import dataclass
from typing import Any, Literal

from service.models import feedback_request, result

fr = feedback_request.c
res = result.c
Kind = Literal["results", "requests", "both"]
WORST = "worst"
"""Results only: the unhappiest of both kinds of card first, and of equals the newest."""

SORTS = ("updated_at", "-updated_at", "ended_at", "-ended_at")


@dataclass(frozen=True, slots=True)
class Order:
    """How a list is sorted. The id breaks ties, so that no row is lost or repeated between pages.

    `kind` results: answered requests only; requests: the whole ledger; both, for exports: the whole ledger, with
    `updated_at` the later one of request and answer.
    """

    sort: str = "updated_at"
    kind: Kind = "results"
    newest_first: bool = False

    @property
    def columns(self) -> tuple[Any, Any]:
        """The sort key and the id, from the table whose index has both."""
        if self.sort == "ended_at":
            return fr.ended_at, fr.id
        return (res.updated_at, res.request_id) if self.kind == "results" else (fr.updated_at, fr.id)


OLDEST = Order()
