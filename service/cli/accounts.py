"""X accounts: how they stand, and releasing a hold."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import click

from service.accounts import holds, refused_ways, standing
from service.accounts.holds import Hold
from service.auth import log_access
from service.cli.common import CommandGroup, account_of, console, me, now, opened, table_of, when
from service.cli.connect import connect
from service.db import reading, writing
from service.errors import Conflict
from service.metrics import budgets
from service.results.status import ChannelHealth, channel_health
from service.settings import Account

HEADINGS = (
    "account", "stands", "since / until", "ways barred", "DMs 24 h", "cards 24 h", "webhook seen", "missed by webhook",
    "complete until", "look at",
)  # fmt: skip
WORTH_A_WORD = timedelta(hours=1)
"""A card is due for a moment all day long; a worker that lives has asked about it by then."""


@click.group(cls=CommandGroup)
def accounts() -> None:
    """X accounts: limits used, holds, how complete their results are."""


@accounts.command(name="list")
@click.pass_context
def show(context: click.Context) -> None:
    """Show every account: free, paused or on hold, limits used, how answers arrive, and what needs attention.

    Counts cover the last 30 days.
    """
    settings, engine = opened(context)
    table = table_of(*HEADINGS)
    moment = now()
    with writing(engine) as connection:
        standing.enrol(connection, settings.accounts, moment)
    with reading(engine) as connection:
        closed, sent = refused_ways.listed(connection, moment), budgets.taken(connection, settings.accounts, moment)
        for each in standing.standings(connection):
            if each.account not in settings.accounts:
                continue
            account, health = settings.accounts[each.account], channel_health(connection, each.account, moment)
            limits = (("dm", account.dms_per_day), ("card", account.cards_per_day))
            table.add_row(
                each.account,
                *_standing(each, moment),
                ", ".join(_barred(one) for one in closed if one.account == each.account),
                *(f"{sent.get((each.account, kind), 0)} of {limit}" for kind, limit in limits),
                *_webhook(account, health),
                when(health.complete_until),
                ", ".join(_to_look_at(account, health, moment)),
            )
    console.print(table)


@accounts.command()
@click.argument("account")
@click.pass_context
def release(context: click.Context, account: str) -> None:
    """Let an account that is on hold or paused continue, once the cause is fixed at X.

    Ways of asking that X refused are tried again at once.
    """
    settings, engine = opened(context)
    account_of(settings, account)
    with writing(engine) as connection:
        if not holds.release(connection, account, now()):
            raise Conflict(
                "not_held", f"The account '{account}' is neither on hold nor paused, and no way of asking is blocked."
            )
        log_access(connection, me(), "account.release", {"account": account}, now())
    console.print(f"{account} continues.")


@accounts.command()
@click.argument("account")
@click.option("--reason", default="held_by_hand", show_default=True)
@click.pass_context
def hold(context: click.Context, account: str, reason: str) -> None:
    """Stop sending for an account until it is released."""
    settings, engine = opened(context)
    account_of(settings, account)
    reason = reason[:64]  # what the row holds
    with writing(engine) as connection:
        standing.enrol(connection, [account], now())
        if not holds.hold(connection, account, Hold(None, reason), now()):
            raise Conflict("already_held", f"The account '{account}' is on hold already; see `accounts list`.")
        log_access(connection, me(), "account.hold", {"account": account, "reason": reason}, now())
    console.print(f"{account} is on hold; `dm-feedback accounts release {account}` lets it continue.")


accounts.add_command(connect)


def _barred(one: refused_ways.Barred) -> str:
    code = "" if one.code is None else f" (X code {one.code})"
    return f"{one.way}{code} until {when(one.barred_at + refused_ways.TRIED_AGAIN)}"


def _webhook(account: Account, health: ChannelHealth) -> tuple[str, str]:
    if not (account.webhook_signature or account.webhook_user):
        return "none", ""
    return when(health.webhook_seen_at) or "never", str(health.missed_by_webhook_recent)


def _to_look_at(account: Account, health: ChannelHealth, moment: datetime) -> Iterator[str]:
    if health.refresh_oldest_due_at is not None and health.refresh_oldest_due_at < moment - WORTH_A_WORD:
        yield f"{health.refresh_due} cards due since {when(health.refresh_oldest_due_at)}"
    behind = moment - account.events_delay - account.poll_every - WORTH_A_WORD
    if health.poll_window_open and (health.complete_until is None or health.complete_until < behind):
        yield "reading of X's events is behind"
    counts = {
        "contradictions": health.anomalies_recent,
        "unreadable events": health.unreadable_recent,
        "odd fields": health.odd_recent,
        "cards of others": health.strays_recent,
    }
    yield from (f"{count} {name}" for name, count in counts.items() if count)


def _standing(each: standing.AccountStanding, moment: datetime) -> tuple[str, str]:
    status, at = each.status(moment)
    code = f" (X code {each.hold_code})" if each.hold_code is not None else ""
    words = {"held": f"held: {each.hold_reason}{code}", "x_away": "X does not answer"}
    return words.get(status, status), when(at)
