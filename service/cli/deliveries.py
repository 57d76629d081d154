"""What sources sent: listed, and read again after a definition was fixed."""

import click
import sqlalchemy as sa

from service.auth import log_access
from service.cli.common import CommandGroup, console, me, now, opened, source_of, table_of, when
from service.cli.source_send import definition_of
from service.db import reading, writing
from service.errors import NotFound
from service.humanize import many
from service.intake.inbox.records import IGNORED, UNMAPPABLE
from service.intake.inbox.replay import ReplayCounts
from service.intake.inbox.replay import replay as read_again
from service.models import ITEM_OUTCOMES, delivery_item, webhook_delivery

di, wd = delivery_item.c, webhook_delivery.c


@click.group(cls=CommandGroup)
def deliveries() -> None:
    """What sources sent, stored as it came."""


@deliveries.command(name="list")
@click.option("--outcome", type=click.Choice(ITEM_OUTCOMES), default="unmappable", show_default=True)
@click.option("--source", help="Only what this source sent.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.pass_context
def list_deliveries(context: click.Context, outcome: str, source: str | None, limit: int) -> None:
    """List deliveries and what became of them. Unmappable ones wait until their definition is fixed.

    `sources explain --delivery ID` walks through one.
    """
    settings, engine = opened(context)
    query = (
        sa.select(wd.id, wd.source, wd.received_at, di.outcome, di.reason, di.detail)
        .join(webhook_delivery, wd.id == di.delivery_id)
        .where(di.outcome == outcome, sa.true() if source is None else wd.source == source)
        .order_by(di.read_at.desc())
        .limit(limit)
    )
    table = table_of("delivery", "source", "received", "outcome", "reason", "what would be right")
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    if source is not None and not rows:
        source_of(settings, source)  # one that was removed is still found by what it sent
    for delivery_id, sender, received_at, what, reason, detail in rows:
        table.add_row(delivery_id, sender, when(received_at), what, reason or "", detail or "")
    console.print(table)


@deliveries.command()
@click.argument("delivery_id", required=False)
@click.option("--source", required=True, help="The source whose definition was fixed.")
@click.option("--ignored", is_flag=True, help="Also the ignored ones, for instance when the CRM renamed its event.")
@click.pass_context
def replay(context: click.Context, delivery_id: str | None, source: str, *, ignored: bool) -> None:
    """Read stored deliveries again: one, or all of the source that could not be mapped."""
    settings, engine = opened(context)
    outcomes = (UNMAPPABLE, IGNORED) if ignored else (UNMAPPABLE,)
    definition = definition_of(settings, source)
    with writing(engine) as connection:  # before the first is read: it may lead to a message
        detail = {"source": source, "delivery": delivery_id, "ignored": ignored}
        log_access(connection, me(), "deliveries.replay", detail, now())
    counts = read_again(engine, definition, delivery_id, now(), outcomes)
    if delivery_id is not None and counts == ReplayCounts():
        sentence = f"'{source}' sent no delivery '{delivery_id}', or it is no longer kept; see `deliveries list`."
        raise NotFound("unknown_delivery", sentence)
    console.print(
        f"{many(counts.deliveries, 'delivery', 'deliveries')} read again: {counts.accepted} accepted, "
        f"{counts.duplicate} duplicate, {counts.reopened} reopened, {counts.ignored} ignored, "
        f"{counts.unmappable} still unmappable, {counts.gone} no longer kept."
    )
    if counts.unreadable:
        console.print(
            f"{counts.unreadable} changed in the database since: `dm-feedback privacy check`.", style="yellow"
        )
