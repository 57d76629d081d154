"""X accounts: how they stand, and releasing a hold."""

from datetime import datetime

import click
from rich.table import Table

from service.auth import log_access
from service.cli.common import console, me, now, opened, when
from service.db import reading, writing
from service.errors import Conflict, NotFound
from service.outreach import accounts as stored
from service.outreach import budget
from service.outreach.answers import Hold
from service.results.status import channel_health


@click.group()
def accounts() -> None:
    """X accounts: limits used, holds, how complete their results are."""


@accounts.command(name="list")
@click.pass_context
def show(context: click.Context) -> None:
    """Show every account: free, paused or held; slots used; how complete its results are."""
    settings, engine = opened(context)
    table = Table(box=None)
    for heading in (
        "account",
        "stands",
        "since / until",
        "DMs 24 h",
        "cards 24 h",
        "complete until",
        "missed by webhook",
    ):
        table.add_column(heading)
    moment = now()
    with writing(engine) as connection:
        stored.enrol(connection, settings.accounts, moment)
    with reading(engine) as connection:
        for each in stored.standings(connection):
            if each.account not in settings.accounts:
                continue
            account = settings.accounts[each.account]
            health = channel_health(connection, each.account, moment)
            used = [
                f"{budget.used(connection, each.account, kind, moment)} of {limit}"
                for kind, limit in (("dm", account.dms_per_day), ("card", account.cards_per_day))
            ]
            table.add_row(
                each.account,
                *_standing(each, moment),
                *used,
                when(health.complete_until),
                str(health.found_by_polling_recent),
            )
    console.print(table)


@accounts.command()
@click.argument("account")
@click.pass_context
def release(context: click.Context, account: str) -> None:
    """Let a held or paused account go on, once what held it is mended at X."""
    settings, engine = opened(context)
    if account not in settings.accounts:
        raise NotFound("unknown_account", f"There is no account '{account}' in the settings.")
    with writing(engine) as connection:
        if not stored.release(connection, account, now()):
            raise Conflict("not_held", f"The account '{account}' is neither held nor paused.")
        log_access(connection, me(), "account.release", {"account": account}, now())
    console.print(f"{account} goes on.")


@accounts.command()
@click.argument("account")
@click.option("--reason", default="held_by_hand", show_default=True)
@click.pass_context
def hold(context: click.Context, account: str, reason: str) -> None:
    """Stop sending for an account until it is released."""
    settings, engine = opened(context)
    if account not in settings.accounts:
        raise NotFound("unknown_account", f"There is no account '{account}' in the settings.")
    with writing(engine) as connection:
        stored.enrol(connection, [account], now())
        stored.hold(connection, account, Hold(None, reason[:64]), now())
        log_access(connection, me(), "account.hold", {"account": account, "reason": reason}, now())
    console.print(f"{account} is held; `dm-feedback accounts release {account}` lets it go on.")


def _standing(each: stored.Standing, moment: datetime) -> tuple[str, str]:
    if each.hold_reason is not None:
        code = f" (X code {each.hold_code})" if each.hold_code is not None else ""
        return f"held: {each.hold_reason}{code}", when(each.held_at)
    if each.paused_until is not None and each.paused_until > moment:
        return "paused", when(each.paused_until)
    return "free", ""
