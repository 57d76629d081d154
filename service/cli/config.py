"""The settings: check, reference, example."""

from contextlib import ExitStack
from pathlib import Path

import click
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from service import migrations
from service.cli.common import console
from service.db import open_engine
from service.db.outages import is_away
from service.encrypting.in_force import demand_keys, engine_of
from service.errors import Unavailable
from service.intake.definition.advice import advice
from service.intake.definition.load import load_definitions
from service.intake.definition.tables import Definition
from service.metrics import otel
from service.outreach.withdrawn import gone_names
from service.phrases import many
from service.replica import attach
from service.results.page.sender import mistakes
from service.settings import Database, Mistake, Settings, SettingsError, load, reference
from service.settings.advice import secrets_of

EXAMPLE = Path(__file__).parents[1] / "settings" / "example.toml"


@click.group()
def config() -> None:
    """The settings file."""


@config.command()
@click.pass_context
def check(context: click.Context) -> None:
    """Report every mistake at once and what would be right; then what works but deserves a thought."""
    path = context.find_root().obj
    settings, definitions = _loaded(Path(path))
    warnings = [
        *settings.warnings,
        *advice(definitions, settings.campaigns),
        *_readable_by_others(settings.database.url),
        *_secrets_for_all(Path(path), settings),
        *_replica(settings.database),
        *_traces(settings),
        *_left(settings),
    ]
    for warning in warnings:
        console.print(f"{warning.path} {warning.sentence}", style="yellow", soft_wrap=True)
    console.print(
        f"{path} is right: {many(len(settings.accounts), 'account')}, {many(len(settings.sources), 'source')}, "
        f"{many(len(settings.campaigns), 'campaign')}, {many(len(warnings), 'warning')}."
    )


def _readable_by_others(url: str) -> list[Mistake]:
    """What customers wrote lies in the file and in the ones SQLite keeps beside it."""
    file = _sqlite_file(url)
    if file is None:
        return []
    open_ones = [each for each in (f"{file}", f"{file}-wal", f"{file}-shm") if _mode(each) & 0o077]
    sentence = f"others on this machine may read it; run `chmod 600 {' '.join(open_ones)}`"
    return [Mistake("database.url", sentence)] if open_ones else []


def _secrets_for_all(path: Path, settings: Settings) -> list[Mistake]:
    """Secrets that stand in the settings file itself, and not behind an `_env` or `_file`."""
    if not _mode(str(path)) & 0o004:
        return []
    written, tables = path.read_text("utf-8"), (settings.service, settings.privacy, *settings.accounts.values())
    if not any(each in written for table in (*tables, *settings.sources.values()) for each in secrets_of(table)):
        return []
    return [Mistake(str(path), f"holds secrets, and others on this machine may read it; run `chmod 600 {path}`")]


def _traces(settings: Settings) -> list[Mistake]:
    if settings.service.traces_to is None or otel.is_installed():
        return []
    return [Mistake("service.traces_to", f"stops the start: {otel.MISSING}")]


def _replica(database: Database) -> list[Mistake]:
    """What is the matter with the replica. Says nothing where the primary is away: it has to be asked too."""
    with ExitStack() as opened:
        try:
            primary = open_engine(database.url)
            opened.callback(primary.dispose)
            replica = attach(primary, database)
            if replica is None:
                return []
            opened.callback(replica.close)
            found = replica.standing()
        except Unavailable as error:
            return [Mistake("database.read_url", error.sentence)]
        except DBAPIError:
            return []
    return [] if found.sentence is None else [Mistake("database.read_url", found.sentence)]


def _left(settings: Settings) -> list[Mistake]:
    """Names that open requests bear and the settings lack. Says nothing where no database of ours is there to ask."""
    file = _sqlite_file(settings.database.url)
    if file is not None and not file.exists():
        return []
    try:
        engine = engine_of(settings)
        try:
            migrations.require_fitting(engine)
            demand_keys(engine)
            return [Mistake(f"{each.kind}.{each.name}", each.sentence) for each in gone_names(engine, settings)]
        finally:
            engine.dispose()  # SQLite's files beside the ledger go with it
    except Unavailable as error:
        lost = error.code == "encryption_key_missing"
        return [Mistake("privacy.encryption_key", error.sentence)] if lost else []
    except DBAPIError as error:
        if not is_away(error):
            raise
        return []


def _sqlite_file(url: str) -> Path | None:
    """The file of an SQLite database; None for any other."""
    kind, _, rest = url.partition(":///")
    return Path(rest.partition("?")[0]).expanduser() if kind == "sqlite" else None


def _mode(file: str) -> int:
    try:
        return Path(file).stat().st_mode
    except OSError:  # not there yet, or not ours to look at
        return 0


def _loaded(path: Path) -> tuple[Settings, dict[str, Definition]]:
    """Load file and definitions, and look at the pictures. Raises SettingsError with the mistakes of both."""
    try:
        settings = load(path)
    except SettingsError as error:
        try:
            load_definitions(error.sources)
        except SettingsError as more:
            raise SettingsError([*error.problems, *more.problems]) from error
        raise
    definitions = load_definitions(settings.sources, tuple(settings.accounts))
    if wrong := mistakes(settings.accounts.values()):
        raise SettingsError(wrong)
    return settings, definitions


@config.command(name="reference")
def show_reference() -> None:
    """List every setting with its default."""
    table = Table(box=None)
    for heading in ("setting", "default", "meaning"):
        table.add_column(heading, overflow="fold")
    for doc in reference():
        table.add_row(doc.path, doc.default, doc.description)
    console.print(table)


@config.command()
def example() -> None:
    """Print a commented settings file to start from."""
    click.echo(EXAMPLE.read_text("utf-8"), nl=False)
