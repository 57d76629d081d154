"""Mirrors: in, an address and a key; out, rows by request id, once by a full read, once as dlt has kept them."""

import json
import os
from pathlib import Path
from typing import Any

import httpx

from service.reports.api.row_schemas import RequestSchema, ResultSchema
from tests.outside.tools import run

SOURCE = Path(__file__).parents[2] / "deploy" / "integrations" / "dlt_source.py"
Rows = dict[str, dict[str, Any]]
NO_ANSWER = {**dict.fromkeys(ResultSchema().fields.keys() - RequestSchema().fields.keys()), "update_count": 0}
READ = """
import duckdb, json, sys
found = duckdb.connect(sys.argv[1], read_only=True).sql("SELECT * FROM feedback.conversations")
names = found.columns
print(json.dumps([dict(zip(names, map(lambda v: v.isoformat() if hasattr(v, "isoformat") else v, row)))
                  for row in found.fetchall()], default=str))
"""


def full_read(url: str, key: str) -> Rows:
    """Every request, with its answer where there is one, as lists tell it."""
    rows = {row["request_id"]: {**row, **NO_ANSWER} for row in _list(url, key, "requests")}
    return rows | {row["request_id"]: row for row in _list(url, key, "results")}


def _list(url: str, key: str, name: str) -> list[dict[str, Any]]:
    found, cursor = [], ""
    with httpx.Client(headers={"Authorization": f"Bearer {key}"}, timeout=60, trust_env=False) as http:
        while True:
            answer = http.get(f"{url}/v1/{name}", params={"sort": "ended_at", "limit": 250, "cursor": cursor})
            page = answer.raise_for_status().json()
            found += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return found


def load_by_dlt(programs: Path, directory: Path, url: str, key: str) -> None:
    """Run the source as its own words say. Raises ToolFailed."""
    directory.mkdir(parents=True, exist_ok=True)
    told = {"DM_FEEDBACK_URL": url, "DM_FEEDBACK_KEY": key, "DLT_DATA_DIR": str(directory / "dlt")}
    quiet = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
    run(str(programs / "python"), str(SOURCE), cwd=directory, env={**os.environ, **told, **quiet})


def kept_by_dlt(programs: Path, directory: Path) -> Rows:
    """What lies in DuckDB, in the API's words: dlt leaves out columns that never had a value."""
    told = run(str(programs / "python"), "-c", READ, str(directory / "dm_feedback.duckdb"))
    return {row["request_id"]: row for row in json.loads(told.splitlines()[-1])}
