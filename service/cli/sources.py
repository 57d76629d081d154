"""Sources and their deliveries: list, show, explain, check; replay after a definition was mended."""

from pathlib import Path

import click
import sqlalchemy as sa
from rich.table import Table

from service.auth import log_access
from service.cli.common import console, me, now, opened, settings_of, when
from service.db import reading, writing
from service.errors import NotFound
from service.intake import explain as explain_delivery
from service.intake import parse_request_file, render
from service.intake.definition import load_definitions, preset_about, preset_names
from service.intake.events import ConversationEnded
from service.intake.replay import replay as read_again
from service.intake.shapes import Definition
from service.models import delivery_item, webhook_delivery
from service.outreach.campaigns import Conversation, takes
from service.settings import Campaign, Settings

LEGEND = (
    "How sure we are, by what a preset was written after: D the vendor's documentation, S its source code or SDK, "
    "T what third parties wrote, M background knowledge, U unknown. Compare with one real delivery: "
    "`dm-feedback sources explain`."
)
i, d = delivery_item.c, webhook_delivery.c


@click.group()
def sources() -> None:
    """CRMs that call us, and the definitions that come with dm-feedback."""


@sources.command(name="list")
@click.pass_context
def show_list(context: click.Context) -> None:
    """List your sources, and the presets there are."""
    settings = settings_of(context)
    mine = Table(box=None, title="your sources", title_justify="left")
    for heading in ("name", "preset", "X account", "address to give to the CRM"):
        mine.add_column(heading, overflow="fold")
    for source in settings.sources.values():
        address = f"{settings.service.public_url.rstrip('/')}/webhooks/crm/{source.name}"
        mine.add_row(source.name, source.preset or "own definition", source.account, address)
    console.print(mine)
    table = Table(box=None, title="presets", title_justify="left")
    for heading in ("preset", "for", "how sure we are"):
        table.add_column(heading, overflow="fold")
    for name in preset_names():
        about = preset_about(name)
        table.add_row(name, about.title, about.certainty)
    console.print(table)
    console.print(LEGEND, soft_wrap=True)


@sources.command()
@click.argument("name")
def show(name: str) -> None:
    """Say what to click and paste in a CRM, by the name of its preset."""
    try:
        about = preset_about(name)
    except KeyError as error:
        raise NotFound(
            "unknown_preset", f"There is no preset '{name}'; there are {', '.join(preset_names())}."
        ) from error
    console.print(f"{about.title}   ({about.certainty})\n", style="bold")
    click.echo(about.setup.strip())


@sources.command()
@click.pass_context
def check(context: click.Context) -> None:
    """Compile every definition and name every mistake."""
    definitions = _definitions(settings_of(context))
    console.print(f"{len(definitions)} definitions are right: {', '.join(definitions)}")


@sources.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--source", required=True, help="The source it came to.")
@click.pass_context
def explain(context: click.Context, file: Path, source: str) -> None:
    """Explain a delivery without storing it: FILE holds header lines, an empty line, and the body.

    Shows which key matched and over which bytes, what each expression found, and which campaign would take it.
    """
    settings = settings_of(context)
    definition = _definitions(settings).get(source)
    if definition is None:
        raise NotFound("unknown_source", f"There is no source '{source}' in the settings.")
    inbound = parse_request_file(file.read_bytes(), settings.service.public_url, source)
    explanation = explain_delivery(definition, inbound, now())
    click.echo(render(explanation))
    for item in explanation.items:
        if isinstance(item.reading, ConversationEnded):
            click.echo(_campaign_for(item.reading, source, definition.account, settings.campaigns))


@click.group()
def deliveries() -> None:
    """What sources sent: raw, kept, and readable again."""


@deliveries.command(name="list")
@click.option("--outcome", type=click.Choice(["accepted", "duplicate", "reopened", "ignored", "unmappable"]),
              default="unmappable", show_default=True)  # fmt: skip
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.pass_context
def list_deliveries(context: click.Context, outcome: str, limit: int) -> None:
    """List what became of deliveries; unmappable ones wait for their definition to be mended."""
    _, engine = opened(context)
    query = (
        sa.select(d.id, d.source, d.received_at, i.outcome, i.reason, i.detail)
        .join(webhook_delivery, d.id == i.delivery_id)
        .where(i.outcome == outcome)
        .order_by(i.read_at.desc())
        .limit(limit)
    )
    table = Table(box=None)
    for heading in ("delivery", "source", "received", "outcome", "reason", "what would be right"):
        table.add_column(heading, overflow="fold")
    with reading(engine) as connection:
        for delivery_id, source, received_at, what, reason, detail in connection.execute(query):
            table.add_row(delivery_id, source, when(received_at), what, reason or "", detail or "")
    console.print(table)


@deliveries.command()
@click.argument("delivery_id", required=False)
@click.option("--source", required=True, help="The source whose definition was mended.")
@click.pass_context
def replay(context: click.Context, delivery_id: str | None, source: str) -> None:
    """Read stored deliveries again: one, or all of the source that could not be mapped."""
    settings, engine = opened(context)
    definition = _definitions(settings).get(source)
    if definition is None:
        raise NotFound("unknown_source", f"There is no source '{source}' in the settings.")
    counts = read_again(engine, definition, delivery_id, now())
    with writing(engine) as connection:
        log_access(connection, me(), "deliveries.replay", {"source": source, "deliveries": counts.deliveries}, now())
    console.print(
        f"{counts.deliveries} deliveries read again: {counts.accepted} accepted, {counts.duplicate} duplicate, "
        f"{counts.reopened} reopened, {counts.ignored} ignored, {counts.unmappable} still unmappable, "
        f"{counts.gone} no longer kept."
    )


def _definitions(settings: Settings) -> dict[str, Definition]:
    return load_definitions(settings.sources, tuple(settings.accounts))


def _campaign_for(ended: ConversationEnded, source: str, account: str, campaigns: tuple[Campaign, ...]) -> str:
    """Say which campaign would take it, and why the others would not be asked."""
    conversation = Conversation(
        ended.conversation_id, source, ended.account or account, ended.ended_at, ended.team_id, ended.tags,
        ended.channel, ended.language, ended.x_handle,
    )  # fmt: skip
    for campaign in campaigns:
        if takes(campaign, conversation):
            return f"campaign    {campaign.name}: the first whose every filter fits"
    return "campaign    none takes it: it would be skipped (no_campaign)"
