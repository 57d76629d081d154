"""Feeds: one saved question each, read by an address of its own."""

from typing import Any

import click

from service.auth import Reader, log_access
from service.auth import feeds as stored
from service.cli.common import (
    CommandGroup,
    account_of,
    console,
    demand_said_once,
    filters_of,
    me,
    now,
    opened,
    table_of,
    when,
)
from service.db import reading, writing
from service.reports.api.feeds import address_of
from service.reports.counting.periods import PERIODS
from service.reports.dimensions import BY
from service.reports.figures import saved
from service.reports.figures.csv_table import HEADS
from service.reports.filters import listed


@click.group(name="feeds", cls=CommandGroup)
def feeds() -> None:
    """Addresses for spreadsheets: each answers one saved question with figures, and nothing else."""


@feeds.command()
@click.option("--name", required=True, help="Who or what reads it; the list shows it.")
@click.option("--figure", type=click.Choice(list(HEADS)), required=True, help="The figure to show.")
@click.option("--by", type=click.Choice(BY), help="The dimension of a breakdown, a trend or coverage.")
@click.option("--period", type=click.Choice(PERIODS), help="The period of a trend. Default: week.")
@click.option("--last-days", type=click.IntRange(1, 3660), help="The last N whole days, counted from each reading.")
@click.option("--filter", "given", multiple=True, metavar="NAME=VALUE", help="As in the API: account=acme, type=csat …")
@click.option("--account", "accounts", multiple=True, help="Only this account; may be repeated. Default: all.")
@click.pass_context
def create(context: click.Context, /, name: str, given: tuple[str, ...], accounts: tuple[str, ...], **own: Any) -> None:
    """Save a question and show its address once."""
    settings, engine = opened(context)
    for account in accounts:
        account_of(settings, account)
    question, wanted = {key: value for key, value in own.items() if value is not None}, listed(filters_of(given))
    demand_said_once(question.keys(), wanted)
    question |= wanted
    saved.demand(engine, settings, accounts, question, now())
    with writing(engine) as connection:
        made, secret = stored.create(connection, name, question, accounts, me(), now())
        log_access(connection, me(), "feed.create", {"feed": made.id, "question": question}, now())
    click.echo(address_of(settings.service.public_url, made, secret))
    click.echo("Keep it now: it is shown once. Whoever has it can read the feed until it is revoked.", err=True)


@feeds.command(name="list")
@click.pass_context
def show(context: click.Context) -> None:
    """Show all feeds without their secrets."""
    _, engine = opened(context)
    table = table_of("id", "name", "question", "accounts", "created", "by", "last used", "revoked")
    with reading(engine) as connection:
        for each in stored.listed(connection, Reader("cli", me(), "admin", ())):
            asked = ", ".join(f"{name}={value}" for name, value in each.question.items())
            table.add_row(
                each.id, each.name, asked, ", ".join(each.accounts) or "all", when(each.created_at), each.created_by,
                when(each.last_used_at) or "never", when(each.revoked_at),
            )  # fmt: skip
    console.print(table)


@feeds.command()
@click.argument("feed_id")
@click.pass_context
def revoke(context: click.Context, feed_id: str) -> None:
    """End a feed at once."""
    _, engine = opened(context)
    with writing(engine) as connection:
        stored.revoke(connection, feed_id, Reader("cli", me(), "admin", ()), now())
        log_access(connection, me(), "feed.revoke", {"feed": feed_id}, now())
    console.print(f"The feed {feed_id} no longer answers.")
