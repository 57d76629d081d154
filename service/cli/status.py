"""How everything stands, on one screen or as JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click

from service.cli.common import console, now, opened, table_of, when
from service.db import reading
from service.humanize import age, many
from service.metrics.overview import AccountOverview, Overview, overview
from service.replica import ReplicaStanding, standing

MOST = 20  # accounts on a screen; those that need a hand are named above


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON document.")
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> None:
    """Show how everything stands: what needs attention, backlog, holds, limits, lag."""
    settings, engine = opened(context)
    with reading(engine) as connection:
        found = overview(connection, settings, now(), standing(engine))
    if as_json:
        print(json.dumps(_document(found), ensure_ascii=False, indent=2))  # noqa: T201 - for a program
        return
    _head(found)
    _accounts(found.accounts)
    for name, counts in found.day.items():
        console.print(f"{name} of 24 h: {_said(counts)}")


def _document(found: Overview) -> dict[str, Any]:
    """The same for JSON, which has no datetimes and spans."""
    return {**asdict(found), "at": found.at.isoformat(), "replica": _replica(found.replica)}


def _replica(found: ReplicaStanding | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"behind": None if found.behind is None else found.behind.total_seconds(), "problem": found.problem}


def _head(found: Overview) -> None:
    console.print(
        f"dm-feedback {found.version}, schema {found.schema}, {when(found.at)}, {many(found.workers, 'worker')}"
    )
    for each in found.builds:
        console.print(f"  {each}")
    if found.replica is not None and found.replica.behind is not None:
        console.print(f"  replica, {age(found.replica.behind.total_seconds())} behind")
    if found.encrypting is not None:
        console.print(found.encrypting, soft_wrap=True)
    if not found.needs_a_hand:
        console.print("Nothing needs attention.")
    for each in found.needs_a_hand:
        console.print(f"! {each}", style="bold", soft_wrap=True)


def _accounts(accounts: tuple[AccountOverview, ...]) -> None:
    headings = ("account", "stands", "open", "due for", "unclear", "DMs left", "cards left", "read until", "webhook")
    table = table_of(*headings)
    for each in sorted(accounts, key=lambda one: -(one.oldest_due or 0))[:MOST]:
        table.add_row(
            each.name, each.held or ("X away" if each.x_away else "free"), str(each.open), age(each.oldest_due),
            str(each.unclear), str(each.dms_left), str(each.cards_left), _ago(each.events_behind),
            _ago(each.webhook_silent),
        )  # fmt: skip
    console.print(table)
    if len(accounts) > MOST:
        console.print(
            f"and {many(len(accounts) - MOST, 'account')} more, with requests that wait less long; --json has all"
        )


def _ago(seconds: float | None) -> str:
    return "never" if seconds is None else f"{age(seconds)} ago"


def _said(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items()) or "none"
