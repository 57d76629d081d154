"""What a group is called: in, a row of figures; out, its name as people read it. Ids stay in files, beside the name."""

from typing import Protocol

from service.reports.dimensions import Value
from service.reports.figures.then_now import Differences, ThenNow

WITHOUT_NAME = "without one"
REST = {"not_named": "not named", "other_groups": "all others"}


class GroupRow(Protocol):
    """A row of any table of groups."""

    @property
    def key(self) -> Value: ...  # noqa: D102 - its name
    @property
    def rest(self) -> str | None: ...  # noqa: D102 - what it holds in place of a group
    @property
    def of(self) -> str | None: ...  # noqa: D102
    @property
    def name(self) -> str | None: ...  # noqa: D102 - what people call it


def row_name(row: GroupRow) -> str:
    """A row's name: a group's, or what it holds instead of one."""
    if row.rest is None:
        return row.name or group_name(row.key)
    return REST.get(row.rest, f"others of {row.of}")


def full_name(row: ThenNow, table: Differences) -> str:
    """The same where a table may tell apart by two dimensions."""
    if table.and_by is None or row.rest is not None:
        return row_name(row)
    return f"{row_name(row)} \u00b7 {row.and_name or group_name(row.and_key)}"


def group_name(key: Value) -> str:
    """A group's name."""
    return WITHOUT_NAME if key is None else str(key)
