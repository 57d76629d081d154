"""Rows by request id: from a full read, and as dlt has stored them."""

import json
import os
from pathlib import Path
from typing import Any

import httpx

from tests.outside.tools import run

SOURCE = Path(__file__).parents[2] / "deploy" / "integrations" / "dlt_source.py"
Rows = dict[str, dict[str, Any]]
READ = """
import duckdb, json, sys
found = duckdb.connect(sys.argv[1], read_only=True).sql("SELECT * FROM feedback.conversations")
names = found.columns
print(json.dumps([dict(zip(names, map(lambda v: v.isoformat() if hasattr(v, "isoformat") else v, row)))
                  for row in found.fetchall()], default=str))
"""


def full_read(url: str, key: str) -> Rows:
    """Every conversation, with its answer where there is one, in one file."""
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.get(
        f"{url}/v1/results.jsonl", params={"include_test": "true"}, headers=headers, timeout=60, trust_env=False
    )
    return {row["request_id"]: row for row in map(json.loads, answer.raise_for_status().text.splitlines())}


def load_by_dlt(programs: Path, directory: Path, url: str, key: str) -> None:
    """Run the source as its own words say. Raises ToolFailed."""
    directory.mkdir(parents=True, exist_ok=True)
    run(str(programs / "python"), str(SOURCE), cwd=directory, env={**os.environ, **dlt_environ(directory, url, key)})


def dlt_environ(directory: Path, url: str, key: str) -> dict[str, str]:
    """What the source is told: where we are, and to keep its state here and its words to itself."""
    told = {"DM_FEEDBACK_URL": url, "DM_FEEDBACK_KEY": key, "DLT_DATA_DIR": str(directory / "dlt")}
    return {**told, "RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}


def kept_by_dlt(programs: Path, directory: Path) -> Rows:
    """What lies in DuckDB, in the API's words: dlt leaves out columns that never had a value."""
    told = run(str(programs / "python"), "-c", READ, str(directory / "dm_feedback.duckdb"))
    return {row["request_id"]: row for row in json.loads(told.splitlines()[-1])}
