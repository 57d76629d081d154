"""dlt: every conversation and its answer as one table, kept in sync by following /v1/changes.

    pip install "dlt[duckdb]"
    DM_FEEDBACK_URL=https://feedback.example.com DM_FEEDBACK_KEY=dmf_… python deploy/integrations/dlt_source.py

The cursor is stored in dlt's own state, which is committed together with the rows: a failed load is repeated.
If a customer is erased, a row without the answer arrives and replaces the row that had it.
"""

import os
import sys
from collections.abc import Iterator
from typing import Any

import dlt
from dlt.sources.helpers import requests

KEPT_AS_THEY_ARE = 0  # tags stay one column, in place of a table of their own
GONE = 410


class BeginAnew(RuntimeError):
    """The database was restored from a backup, so no cursor from before is known."""


def changed(url: str, key: str, cursor: str) -> Iterator[tuple[list[dict[str, Any]], str]]:
    """Yield pages of what changed since the cursor, each with where to go on. Raises BeginAnew."""
    more = True
    while more:
        answer = requests.Client(raise_for_status=False).get(
            f"{url}/v1/changes", params={"cursor": cursor, "limit": 250}, headers={"Authorization": f"Bearer {key}"}
        )
        if answer.status_code == GONE:
            raise BeginAnew("The database was restored from a backup. Run this once with --anew.")
        answer.raise_for_status()
        page = answer.json()
        cursor, more = page["next_cursor"], page["more"]
        yield page["items"], cursor


@dlt.source(name="dm_feedback", max_table_nesting=KEPT_AS_THEY_ARE)
def dm_feedback(url: str, key: str) -> Any:
    """Return the one resource there is."""

    @dlt.resource(name="conversations", primary_key="request_id", write_disposition="merge")
    def conversations() -> Iterator[list[dict[str, Any]]]:
        state = dlt.current.resource_state()
        for items, cursor in changed(url, key, state.get("cursor", "")):
            yield items
            state["cursor"] = cursor

    return conversations


if __name__ == "__main__":
    pipeline = dlt.pipeline("dm_feedback", destination="duckdb", dataset_name="feedback")
    anew = "drop_sources" if sys.argv[1:] == ["--anew"] else None
    data = dm_feedback(os.environ["DM_FEEDBACK_URL"], os.environ["DM_FEEDBACK_KEY"])
    print(pipeline.run(data, refresh=anew))  # noqa: T201
