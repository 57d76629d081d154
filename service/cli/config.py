"""The settings: check, reference, example."""

from collections.abc import Callable, Collection
from contextlib import ExitStack
from pathlib import Path

import click
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from service import migrations
from service.cli.common import CommandGroup, console, table_of
from service.db import open_engine
from service.db.outages import is_away, why_away
from service.encrypting.in_force import engine_of
from service.errors import Unavailable
from service.humanize import many
from service.intake.definition.advice import advice
from service.intake.definition.load import load_definitions
from service.intake.definition.tables import Definition
from service.metrics import otel
from service.outreach.removed_names import gone_names
from service.replica import attach
from service.results.page.branding import mistakes
from service.settings import X_TOKENS, Database, Mistake, Settings, SettingsError, load, reference
from service.settings.advice import warnings
from service.settings.secret_advice import secrets_of
from service.startup import demands

EXAMPLE = Path(__file__).parents[1] / "settings" / "example.toml"
SETTING_OF = {"secret_key_changed": "service.secret_key", "encryption_key_missing": "privacy.encryption_key"}
"""The setting to correct for a refusal at the start, if it is not database.url."""


@click.group(cls=CommandGroup)
def config() -> None:
    """The settings file."""


@config.command()
@click.option(
    "--for", "process", type=click.Choice(["serve", "web", "worker"]),
    help="Check as this process would load the settings: web has no X token, and the database must answer.",
)  # fmt: skip
@click.pass_context
def check(context: click.Context, process: str | None) -> None:
    """Report every mistake at once, with what would be right, and then warnings."""
    path = context.find_root().obj
    settings, definitions = _loaded(Path(path), X_TOKENS if process == "web" else ())
    found = [
        *warnings(settings),
        *advice(definitions, settings),
        *_readable_by_others(settings.database.url),
        *_secrets_for_all(Path(path), settings),
        *_replica(settings.database),
        *_database(settings, must_answer=process is not None),
    ]
    for warning in found:
        console.print(f"{warning.path} {warning.sentence}", style="yellow", soft_wrap=True)
    console.print(
        f"{path} is right: {many(len(settings.accounts), 'account')}, {many(len(settings.sources), 'source')}, "
        f"{many(len(settings.campaigns), 'campaign')}, {many(len(found), 'warning')}."
    )


def _readable_by_others(url: str) -> list[Mistake]:
    """The file contains customers' words, and so do those that SQLite keeps beside it."""
    file = _sqlite_file(url)
    if file is None:
        return []
    open_ones = [each for each in (f"{file}", f"{file}-wal", f"{file}-shm") if _mode(each) & 0o077]
    sentence = f"others on this machine may read it; run `chmod 600 {' '.join(open_ones)}`"
    return [Mistake("database.url", sentence)] if open_ones else []


def _secrets_for_all(path: Path, settings: Settings) -> list[Mistake]:
    """Secrets in the settings file itself instead of behind `_env` or `_file`."""
    if not _mode(str(path)) & 0o004:
        return []
    written, tables = path.read_text("utf-8"), [settings.service, settings.database, settings.privacy]
    tables += [*settings.accounts.values(), *settings.sources.values()]
    if not any(each in written for table in tables for each in secrets_of(table)):
        return []
    return [Mistake(str(path), f"holds secrets, and others on this machine may read it; run `chmod 600 {path}`")]


def _replica(database: Database) -> list[Mistake]:
    """What is wrong with the replica; nothing if the primary is away, because checking asks both."""
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


def _database(settings: Settings, *, must_answer: bool) -> list[Mistake]:
    """Names in open requests that the settings lack, or that the database could not be checked.

    Raises SettingsError for what would keep every process from starting, except for a missing `db upgrade`. With
    `must_answer` a database that is behind, empty or away is refused too.
    """
    engine = engine_of(settings)
    try:
        if migrations.current(engine) is None:
            if must_answer:
                migrations.require_fitting(engine)
            return []
        refused = list(filter(None, (_refusal(demand, engine) for demand in demands(settings))))
        if wrong := [each for each in refused if must_answer or each.code != "schema_behind"]:
            raise SettingsError([Mistake(SETTING_OF.get(each.code, "database.url"), each.sentence) for each in wrong])
        gone = [] if refused else gone_names(engine, settings)
        return [Mistake(f"{each.kind}.{each.name}", each.sentence) for each in gone]
    except DBAPIError as error:
        if must_answer or not is_away(error):
            raise
        return [Mistake("database.url", f"{why_away(error)}; its contents were not checked")]
    finally:
        engine.dispose()  # SQLite's files beside the ledger go with it


def _refusal(demand: Callable[[Engine], None], engine: Engine) -> Unavailable | None:
    try:
        demand(engine)
    except Unavailable as error:
        return error
    return None


def _sqlite_file(url: str) -> Path | None:
    """The file of an SQLite database; None for any other."""
    kind, _, rest = url.partition(":///")
    return Path(rest.partition("?")[0]).expanduser() if kind == "sqlite" else None


def _mode(file: str) -> int:
    try:
        return Path(file).stat().st_mode
    except OSError:  # not there yet, or not ours to look at
        return 0


def _loaded(path: Path, withheld: Collection[str]) -> tuple[Settings, dict[str, Definition]]:
    """Load file and definitions, look at the pictures and at what is installed. Raises SettingsError with all of it."""
    try:
        settings = load(path, withheld=withheld)
    except SettingsError as error:
        try:
            load_definitions(error.sources)
        except SettingsError as more:
            raise SettingsError([*error.problems, *more.problems]) from error
        raise
    definitions = load_definitions(settings.sources, settings.accounts)
    wrong = mistakes(settings.accounts.values())
    if settings.service.traces_to is not None and not otel.is_installed():
        wrong.append(Mistake("service.traces_to", otel.MISSING))
    if wrong:
        raise SettingsError(wrong)
    return settings, definitions


@config.command(name="reference")
def show_reference() -> None:
    """List every setting with its default."""
    table = table_of("setting", "default", "meaning")
    for doc in reference():
        table.add_row(doc.path, doc.default, doc.description)
    console.print(table)


@config.command()
def example() -> None:
    """Print a commented settings file to start from."""
    click.echo(EXAMPLE.read_text("utf-8"), nl=False)
