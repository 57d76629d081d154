"""deploy/integrations with the real tools, with changes between two loads; prints a line for each.

Each mirror must equal a full read row for row: after late comments, an erasure, a first answer, a restart.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.privacy import housekeeping
from tests.outside import airbyte
from tests.outside.mirror import Rows, full_read, kept_by_dlt, load_by_dlt
from tests.outside.served import Served, served
from tests.outside.tools import Tools

DLT = ("dlt[duckdb]",)
AIRBYTE = ("airbyte-cdk",)
PERSON = "501"


def check(tools: Tools, directory: Path) -> list[str]:
    """Return a line a tool. Raises ToolFailed, or AssertionError where a mirror differs."""
    with_dlt, with_airbyte = tools.python("dlt", *DLT), tools.python("airbyte", *AIRBYTE)
    with served(directory / "served") as service:
        [words] = service.world.add(1, text="forget me", x_user_id=PERSON)
        [both] = service.world.add(1, score=3, text="and me", x_user_id=PERSON)
        where = (directory / "mirror", service.url, service.key)
        load_by_dlt(with_dlt, *where)
        first = airbyte.sync(with_airbyte, directory / "airbyte", service.url, service.key)
        assert_same(kept_by_dlt(with_dlt, where[0]), full_read(service.url, service.key))
        assert {each["request_id"] for each in first.records["results"]} == answered(service)
        life_goes_on(service)
        load_by_dlt(with_dlt, *where)
        assert_same(kept_by_dlt(with_dlt, where[0]), full_read(service.url, service.key))
        then = airbyte.sync(with_airbyte, directory / "airbyte", service.url, service.key, first.state)
        assert {each["request_id"] for each in then.records["erased"]} == {words}
        assert {both} < {each["request_id"] for each in then.records["results"]}
        assert_followed(first, then, service)
    return ["dlt: the mirror equals a full read, twice", "Airbyte: results and tombstones equal a full read, twice"]


def life_goes_on(service: Served) -> None:
    """A late text, a new answer, an erasure."""
    world = service.world
    world.clock.forward(hours=3)
    late = next(each["request_id"] for each in full_read(service.url, service.key).values() if each["score"] == 2)
    world.set_result(late, text="späte Worte", text_at=world.clock.now, updated_at=world.clock.now)
    world.add(5, score=4, days_ago=0.02)  # not in the future: a row ends later than the one before it
    housekeeping.erase(world.engine, world.settings, PERSON, by="test", now=world.clock.now)
    world.tell()


def answered(service: Served) -> set[str]:
    return {name for name, row in full_read(service.url, service.key).items() if row["update_count"]}


def assert_followed(first: airbyte.Synced, then: airbyte.Synced, service: Served) -> None:
    """Append and dedupe by request_id, without what tombstones name, is what a full read says."""
    kept = {each["request_id"]: each for each in (*first.records["results"], *then.records["results"])}
    gone = {each["request_id"] for each in then.records["erased"]}
    full = full_read(service.url, service.key)
    assert len(then.records["results"]) < len(first.records["results"]), "only what changed"
    assert_same({name: row for name, row in kept.items() if name not in gone},
                {name: row for name, row in full.items() if name in answered(service) - gone})  # fmt: skip


def assert_same(mirror: Rows, full: Rows) -> None:
    """Row for row, in the API's names; a moment is a moment however it is written."""
    assert mirror.keys() == full.keys(), mirror.keys() ^ full.keys()
    for name, row in full.items():
        held = {field: plain(mirror[name].get(field)) for field in row}
        wrong = {field: (held[field], value) for field, value in row.items() if held[field] != plain(value)}
        assert not wrong, f"{name}: {wrong}"


def plain(value: Any) -> Any:
    """Moments as such, lists as such."""
    if isinstance(value, str) and value.startswith("["):
        return json.loads(value)
    if isinstance(value, str) and value[4:5] == "-" and value[10:11] == "T":
        return datetime.fromisoformat(value).astimezone(UTC)
    return value
