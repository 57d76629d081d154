"""Sources: list, show, grammar, check, explain. Presets can be looked at before anything is set up."""

from collections.abc import Mapping
from pathlib import Path

import click
from rich.table import Table

from service.auth import log_access
from service.cli.common import CommandGroup, console, if_set_up, me, now, opened, settings_of, table_of
from service.cli.source_apis import apis, release
from service.cli.source_seen import NOTHING, SourceWeek, seen
from service.cli.source_send import definition_of, send
from service.crm_api.client import Client
from service.db import reading, writing
from service.errors import Invalid, NotFound
from service.humanize import many
from service.intake.crm.lookup import look_up
from service.intake.crm.lookup_words import told, trusted
from service.intake.definition.advice import advice, never_fits
from service.intake.definition.load import load_definitions, preset_about, preset_definition
from service.intake.definition.recipes import RECIPES
from service.intake.definition.reference import facts_of, functions_of, grammar_reference
from service.intake.definition.tables import Definition
from service.intake.delivery.inbound import DELIVERIES, parse_request_file
from service.intake.explain import Explanation, explain_stored, render
from service.intake.explain import explain as explain_delivery
from service.intake.inbox.stored import load_delivery
from service.intake.mapping.events import ConversationEnded
from service.intake.presets import payload, payload_names, preset_names, sources_of_payloads
from service.outreach.campaigns import Conversation, takes
from service.settings import Campaign, Settings
from service.text import harmless

LEGEND = (
    "What a preset is based on: D the vendor's documentation, S its source code or SDK, T third-party texts, M "
    "background knowledge, U unknown. Compare it with one real delivery: "
    "`dm-feedback sources explain`."
)
EXAMPLE_URL = "https://feedback.example.com"


@click.group(cls=CommandGroup)
def sources() -> None:
    """CRMs that call us, and the definitions that come with dm-feedback."""


sources.add_command(release)
sources.add_command(send)


@sources.command(name="list")
@click.pass_context
def show_list(context: click.Context) -> None:
    """List your sources with what they sent in the last 7 days, and all presets."""
    if Path(context.find_root().obj).exists():
        settings = settings_of(context)
        lately = if_set_up(context, settings, lambda engine: seen(engine, settings.sources, now()))
        console.print(_mine(settings, lately))
        for name in settings.sources:
            if line := lately.get(name, NOTHING).silence(name, now()):
                console.print(line, style="yellow", soft_wrap=True)
        if any(source.api is not None for source in settings.sources.values()):
            console.print(apis(context, settings))
    table = table_of("preset", "for", "what it is based on", title="presets")
    for name in preset_names():
        about = preset_about(name)
        table.add_row(name, about.title, about.certainty)
    console.print(table)
    console.print(LEGEND, soft_wrap=True)
    console.print(f"Without a preset, but with a recipe (`sources show`): {', '.join(RECIPES)}", soft_wrap=True)


@sources.command()
@click.argument("name")
def show(name: str) -> None:
    """Show what to click and paste in a CRM, by the name of its preset, and what is read from where."""
    if name in RECIPES:
        click.echo(RECIPES[name])
        return
    try:
        definition = preset_definition(name)
    except KeyError as error:
        raise NotFound(
            "unknown_preset", f"There is no preset '{name}'; there are {', '.join([*preset_names(), *RECIPES])}."
        ) from error
    about = definition.grammar.about
    console.print(f"{about.title}   ({about.certainty})\n", style="bold")
    click.echo(about.setup.strip())
    if about.api:
        click.echo(f"\nTo look customers up, write into the settings:\n\n[sources.NAME.api]\n{about.api.strip()}")
    table = table_of("fact", "from", "meaning", title="what is read")
    for row in facts_of(definition.grammar):
        table.add_row(*row)
    console.print()
    console.print(table)
    for file, after in sources_of_payloads(name):
        console.print(f"payload {file} is based on {after}", soft_wrap=True)


@sources.command()
def grammar() -> None:
    """List every key a definition can have, with its default, and every function of its expressions."""
    table = table_of("key", "default", "meaning")
    for doc in grammar_reference():
        table.add_row(doc.path, doc.default, doc.description)
    console.print(table)
    functions = table_of("function", "what it gives", title="\nexpressions are JMESPath (jmespath.org)")
    for row in functions_of():
        functions.add_row(*row)
    console.print(functions)


@sources.command()
@click.pass_context
def check(context: click.Context) -> None:
    """Compile every definition and report every mistake, and warnings."""
    settings = settings_of(context)
    definitions = load_definitions(settings.sources, settings.accounts)
    for careful in advice(definitions, settings):
        console.print(f"{careful.path} {careful.sentence}", style="yellow", soft_wrap=True)
    console.print(f"right: {many(len(definitions), 'definition')}, {', '.join(definitions)}")


@sources.command()
@click.argument("file", required=False)
@click.option("--source", help="The source it was sent to.")
@click.option("--preset", help="Use a preset without any settings: FILE may be one of its own payloads.")
@click.option("--delivery", help="Instead of FILE: a stored delivery, by its id in `deliveries list`.")
@click.pass_context
def explain(
    context: click.Context, file: str | None, source: str | None, preset: str | None, delivery: str | None
) -> None:
    """Explain a delivery without storing it. FILE has header lines, an empty line, and the body.

    A first line such as POST /webhooks/crm/NAME?token=1 gives the query. Shows which key
    matched and over which bytes, what each expression found, and which campaign would take it.
    """
    if (source is None) == (preset is None) or (preset and delivery):
        raise Invalid("source_or_preset", "Give either --source (a source in your settings) or --preset.")
    if preset is not None:
        _explain_preset(preset, file)
        return
    settings = settings_of(context)
    definition = definition_of(settings, source or "")
    explanation = _explained(context, settings, definition, file, delivery)
    click.echo(harmless(render(explanation)))
    for item in explanation.items:
        if isinstance(item.reading, ConversationEnded):
            click.echo(harmless(_campaign_for(item.reading, definition, settings.campaigns)))
            click.echo(harmless(_whom(item.reading, definition, settings)))
    for campaign in settings.campaigns:
        for careful in never_fits(definition, campaign):
            click.echo(harmless(f"careful     {careful.path} {careful.sentence}"))


@sources.command()
@click.argument("source")
@click.option("--customer", help="The customer's id in the CRM, as in an event.")
@click.option("--conversation", help="The conversation's id in the CRM.")
@click.option("--tenant", help="The CRM's account, if a path needs it.")
@click.option("--channel", help="The channel, as an event would name it.")
@click.option("--show-body", is_flag=True, help="Show the CRM's answers. They contain personal data.")
@click.pass_context
def lookup(context: click.Context, /, source: str, *, show_body: bool, **known: str | None) -> None:
    """Look a customer up in the CRM, as the worker would: the calls, what each answered, and who was found.

    Stores nothing. Never shows a token. Exits with 1 if the CRM refused or did not answer.
    """
    settings = settings_of(context)
    definition = definition_of(settings, source)
    api = settings.sources[source].api
    if api is None or not definition.grammar.lookup:
        what = f"sources.{source}.api" if api is None else f"sources.{source}.lookup"
        raise Invalid("no_lookup", f"There is nothing to look up: [{what}] is missing.")
    names = {"customer": "customer_ref", "conversation": "conversation_id"}
    given = {names.get(name, name): value for name, value in known.items()}
    looked = look_up(definition, Client(api, now), given, now(), show=show_body)
    for line in told(looked, settings.sources[source].confirm):
        click.echo(harmless(line))
    if looked.problem is not None:
        context.exit(1)


def _explained(
    context: click.Context, settings: Settings, definition: Definition, file: str | None, delivery: str | None
) -> Explanation:
    if delivery is not None:
        _, engine = opened(context)
        with reading(engine) as connection:
            stored = load_delivery(connection, definition.name, delivery)
        if stored is None:
            raise NotFound(
                "unknown_delivery",
                f"'{definition.name}' sent no delivery '{delivery}', or its body is no longer kept.",
            )
        with writing(engine) as connection:
            log_access(connection, me(), "deliveries.read", {"delivery": delivery}, now())
        return explain_stored(definition, stored[1], stored[0].received_at)
    if file is None:
        raise Invalid(
            "no_file", "Name the FILE that holds the delivery (header lines, an empty line, the body), or --delivery."
        )
    inbound = parse_request_file(Path(file).read_bytes(), settings.service.public_url, definition.name)
    return explain_delivery(definition, inbound, now())


def _explain_preset(preset: str, file: str | None) -> None:
    if preset not in preset_names():
        raise NotFound("unknown_preset", f"There is no preset '{preset}'; there are {', '.join(preset_names())}.")
    own = payload_names(preset)
    name = file or own[0]
    content = payload(preset, name) if name in own else Path(name).read_bytes()
    click.echo(f"payload {name}")
    inbound = parse_request_file(content, EXAMPLE_URL, preset)
    click.echo(harmless(render(explain_delivery(preset_definition(preset, as_tried=True), inbound, now()))))
    click.echo(f"further payloads of this preset: {', '.join(own)}")


def _mine(settings: Settings, lately: Mapping[str, SourceWeek]) -> Table:
    table = table_of(
        "name", "preset", "X account", "address to give to the CRM", "last delivery", "ended, 7 d", "other channel",
        "unmappable", title="your sources",
    )  # fmt: skip
    for source in settings.sources.values():
        address = f"{settings.service.public_url.rstrip('/')}{DELIVERIES}{source.name}"
        cells = lately.get(source.name, NOTHING).cells
        table.add_row(source.name, source.preset or "own definition", source.account, address, *cells)
    return table


def _whom(ended: ConversationEnded, definition: Definition, settings: Settings) -> str:
    """Say who would be asked, or why nobody would and what would help."""
    ours = {name.casefold() for each in settings.accounts.values() for name in (each.user_id, each.screen_name)}
    if (ended.x_user_id or ended.x_handle or "nobody's").casefold() in ours:
        return (
            "customer    nobody: it is one of your own accounts (no_x_identity); map the customer, not the last writer"
        )
    if ended.x_user_id or ended.x_handle:
        trust = trusted(ended.identity_trust, settings.sources[definition.name].confirm)
        return f"customer    {ended.x_user_id or f'@{ended.x_handle}'} {trust}"
    customer = ended.customer_ref or "ID"
    if not definition.grammar.lookup:
        hint = f"map x_user_id or x_handle, or write [[sources.{definition.name}.lookup]]"
    elif settings.sources[definition.name].api is None:
        hint = f"its CRM can be queried: set [sources.{definition.name}.api]"
    else:
        hint = f"try `dm-feedback sources lookup {definition.name} --customer {customer}`"
    return f"customer    nobody: the event does not say who it is on X (no_x_identity); {hint}"


def _campaign_for(ended: ConversationEnded, definition: Definition, campaigns: tuple[Campaign, ...]) -> str:
    """Say which campaign would take it, and why the others would not be asked."""
    conversation = Conversation(
        "", ended.conversation_id, definition.name, ended.account or definition.account, ended.ended_at, ended.team_id,
        ended.tags, ended.channel, ended.language, ended.x_handle,
    )  # fmt: skip
    for campaign in campaigns:
        if takes(campaign, conversation):
            return f"campaign    {campaign.name}: the first whose filters all match"
    return "campaign    none matches: it would be skipped (no_campaign)"
