"""What a group, or a person, is called on a page. Files keep the id beside the name."""

from markupsafe import Markup

from service.reports.dashboard import words
from service.reports.dimensions import NAMED, Value
from service.reports.figures.shapes import BreakdownRow
from service.reports.figures.then_now import Differences, ThenNow

WITHOUT_NAME = "without one"
REST = {"not_named": "not named", "other_groups": "all others"}
CODED = {"way", "handled_by"}
"""Dimensions whose groups are our own words."""


def row_name(row: BreakdownRow | ThenNow, by: str | None = None) -> str:
    """A row's name: a group's, or what the row holds instead."""
    if row.rest is None:
        return row.name or group_name(row.key, by)
    return REST.get(row.rest, f"others of {row.of or 'no team'}")


def isolated(name: str) -> Markup:
    """A name that leaves the figures beside it in their place, whichever way it is written."""
    return Markup("<bdi>{}</bdi>").format(name)


def person(actor: str) -> Markup:
    """Who wrote something, without the id of their key, which the access log needs."""
    return isolated(actor.rpartition(" (")[0] or actor)


def full_name(row: ThenNow, table: Differences) -> str:
    """A row's name in a table of one or two dimensions."""
    if table.and_by is None or row.rest is not None:
        return row_name(row, table.by)
    return f"{row_name(row, table.by)} \u00b7 {row.and_name or group_name(row.and_key, table.and_by)}"


def group_name(key: Value, by: str | None = None) -> str:
    """A group's name, where nobody has given it one."""
    if key is None:
        return (NAMED[by].missing if by else None) or WITHOUT_NAME
    if by == "hour":
        return f"{key}:00"
    return words.words(str(key)) if by in CODED else str(key)
