"""Airbyte's own runner with our manifest: returns records and tombstones as a destination would get them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.outside.tools import run

MANIFEST = Path(__file__).parents[2] / "deploy" / "integrations" / "airbyte.yaml"
CURSORS = {"results": "updated_at", "erased": "erased_at"}


@dataclass(frozen=True, slots=True)
class Synced:
    """What one sync brought, and the state for the next."""

    records: dict[str, list[dict[str, Any]]]
    state: list[dict[str, Any]]


def sync(programs: Path, directory: Path, url: str, key: str, state: list[dict[str, Any]] | None = None) -> Synced:
    """Check, then read both streams. Raises ToolFailed."""
    directory.mkdir(parents=True, exist_ok=True)
    config = _written(directory / "config.json", {"url": url, "key": key, "since": "2020-01-01T00:00:00Z"})
    source = (str(programs / "source-declarative-manifest"), "--config", config, "--manifest-path", str(MANIFEST))
    program, *given = source
    checked = _messages(run(program, "check", *given), "CONNECTION_STATUS")
    assert checked[0]["connectionStatus"]["status"] == "SUCCEEDED", checked
    catalog = _written(directory / "catalog.json", {"streams": [_stream(*each) for each in CURSORS.items()]})
    earlier = ("--state", _written(directory / "state.json", state)) if state else ()
    told = run(program, "read", *given, "--catalog", catalog, *earlier)
    records: dict[str, list[dict[str, Any]]] = {name: [] for name in CURSORS}
    for each in _messages(told, "RECORD"):
        records[each["record"]["stream"]].append(each["record"]["data"])
    last = {each["state"]["stream"]["stream_descriptor"]["name"]: each["state"] for each in _messages(told, "STATE")}
    return Synced(records, list(last.values()))


def _messages(told: str, kind: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in told.splitlines() if line.startswith("{")]
    return [line for line in lines if line["type"] == kind]


def _stream(name: str, cursor: str) -> dict[str, Any]:
    stream = {"name": name, "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"]}
    stream |= {"source_defined_cursor": True, "default_cursor_field": [cursor]}
    modes = {"sync_mode": "incremental", "destination_sync_mode": "append_dedup"}
    return {"stream": stream, **modes, "cursor_field": [cursor], "primary_key": [["request_id"]]}


def _written(path: Path, document: Any) -> str:
    path.write_text(json.dumps(document), "utf-8")
    return str(path)
