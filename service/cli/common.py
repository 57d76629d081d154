"""What every command shares: a group's list, settings, an engine, and errors as one sentence."""

import errno
import getpass
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from service import migrations, replica
from service.clock import utc_now
from service.db.outages import advice, is_away
from service.encrypting import in_force as encrypting
from service.errors import Invalid, NotFound, ServiceError
from service.network import egress
from service.settings import X_TOKENS, Account, Campaign, Settings, SettingsError, Source, load
from service.settings.values import is_x_user_id
from service.startup import demand_fitting
from service.telemetry import logs
from service.text import harmless

T = TypeVar("T")
now = utc_now  # as commands call it
PLAIN_WIDTH = 200  # where output goes to a file or a pipe, an id must not be folded over two lines


class PlainConsole(Console):
    """A console that shows every text as it is. No markup, no emoji: ids and X's words may hold brackets and colons."""

    def __init__(self, *, stderr: bool = False) -> None:
        width = None if (sys.stderr if stderr else sys.stdout).isatty() else PLAIN_WIDTH
        super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False, width=width)

    def render_str(self, text: str, **style: Any) -> Text:
        """Every printed string and every cell of a table comes by here."""
        return super().render_str(harmless(text), **style)


console = PlainConsole()
errors = PlainConsole(stderr=True)
BAD_SETTINGS = 78  # EX_CONFIG of sysexits.h
WHOLE = 1000  # letters of a command's first sentence: all of them, on as many lines as it takes


class CommandGroup(click.Group):
    """Says in its list to the end what each command does."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """Write the list."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(WHOLE)) for name, each in sorted(self.commands.items())])


def explain(context: click.Context, error: Exception) -> None:
    """Show an error as a sentence and end; return where it is a bug, which deserves its stack trace."""
    if isinstance(error, SettingsError):
        show_problems(str(context.obj), error)
        context.exit(BAD_SETTINGS)
    if isinstance(error, ServiceError):
        _refuse(context, error.sentence, error.code)
    if isinstance(error, DBAPIError) and is_away(error):
        said = str(error.orig).strip().partition("\n")[0]
        _refuse(context, f"The database cannot be used: {said}.{advice(error)}", "database_away")
    if isinstance(error, OSError) and error.errno != errno.EPIPE:  # `| head`: click ends quietly
        _refuse(context, f"{error.filename or 'A file'}: {error.strerror or error}.", "file")


def _refuse(context: click.Context, sentence: str, code: str) -> NoReturn:
    errors.print(f"{sentence}  ({code})", style="red", soft_wrap=True)
    context.exit(1)


def settings_of(context: click.Context, withheld: Sequence[str] = X_TOKENS) -> Settings:
    """Load the command's settings and set up logging. X's tokens are loaded only by commands that call X."""
    settings = load(Path(context.find_root().obj), withheld=withheld)
    logs.configure(settings.service.log_format)
    egress.configure(settings.service.egress)
    return settings


def opened(context: click.Context, withheld: Sequence[str] = X_TOKENS) -> tuple[Settings, Engine]:
    """Load the settings and open the database, which must be at our revision. For commands that end."""
    settings, engine = opened_to_stay(context, withheld)
    encrypting.follow_each_write(engine)
    return settings, engine


def opened_to_stay(context: click.Context, withheld: Sequence[str] = X_TOKENS) -> tuple[Settings, Engine]:
    """The same for processes that run on: these follow a change of the encryption key themselves."""
    settings = settings_of(context, withheld)
    engine = engine_of(context, settings)
    demand_fitting(settings, engine)
    return settings, engine


def account_of(settings: Settings, name: str) -> Account:
    """Return one account of the settings. Raises NotFound."""
    if name not in settings.accounts:
        raise _unknown("account", name, settings.accounts)
    return settings.accounts[name]


def campaign_of(settings: Settings, name: str) -> Campaign:
    """Return one campaign of the settings. Raises NotFound."""
    found = {each.name: each for each in settings.campaigns}
    if name not in found:
        raise _unknown("campaign", name, found, "no_such_campaign")
    return found[name]


def account_asking(settings: Settings, campaign: Campaign, name: str | None) -> Account:
    """Return the account of this name, or else the campaign's first. Raises NotFound."""
    return account_of(settings, name or [*campaign.accounts, *settings.accounts][0])


def source_of(settings: Settings, name: str) -> Source:
    """Return one source of the settings. Raises NotFound."""
    if name not in settings.sources:
        raise _unknown("source", name, settings.sources)
    return settings.sources[name]


def _unknown(what: str, name: str, known: Iterable[str], code: str | None = None) -> NotFound:
    there = ", ".join(known) or "none yet"
    return NotFound(code or f"unknown_{what}", f"There is no {what} '{name}' in the settings; there is {there}.")


def engine_of(context: click.Context, settings: Settings) -> Engine:
    """Open the database until the command ends, whatever its revision."""
    engine = encrypting.engine_of(settings)
    context.call_on_close(engine.dispose)
    beside = replica.attach(engine, settings.database)
    if beside is not None:
        context.call_on_close(beside.close)
    return engine


def filters_of(given: tuple[str, ...]) -> dict[str, list[str]]:
    """Return `NAME=VALUE`s by name, as a query string has them: some filters may be given more than once."""
    wrong = next((each for each in given if "=" not in each), None)
    if wrong is not None:
        raise Invalid("bad_filter", f"'{wrong}' is not a filter; write NAME=VALUE, for instance account=acme.")
    found: dict[str, list[str]] = {}
    for name, _, value in (each.partition("=") for each in given):
        found.setdefault(name, []).append(value)
    return found


def demand_said_once(options: Iterable[str], filters: Mapping[str, object]) -> None:
    """Refuse a filter that an option says already: one of the two would be dropped. Raises Invalid."""
    if twice := sorted(filters.keys() & options):
        raise Invalid("invalid_parameter", f"'{twice[0]}' is given by its option and by --filter; use one of them.")


def table_of(*headings: str, title: str | None = None) -> Table:
    """Return an empty table whose long cells are folded rather than cut."""
    columns = (Column(each, overflow="fold") for each in headings)
    return Table(*columns, box=None, title=title, title_justify="left")


def if_set_up(context: click.Context, settings: Settings, ask: Callable[[Engine], dict[str, T]]) -> dict[str, T]:
    """Ask the database; an empty answer if it is away or not set up yet."""
    try:
        engine = engine_of(context, settings)
        migrations.require_fitting(engine)
        return ask(engine)
    except ServiceError:
        return {}
    except DBAPIError as error:
        if is_away(error):
            return {}
        raise


def show_problems(path: str, error: SettingsError) -> None:
    """Print every mistake in a settings file: where it is, and what would be right."""
    errors.print(f"{path}: {len(error.problems)} to correct", style="bold", soft_wrap=True)
    table = Table(show_lines=False)
    table.add_column("setting", style="bold", overflow="fold")
    table.add_column("what is wrong, and what would be right", overflow="fold")
    for problem in error.problems:
        table.add_row(problem.path, problem.sentence)
    errors.print(table)


def demand_x_user_ids(given: Sequence[str]) -> None:
    """Refuse anything that is no X user id, before anything is done. Raises Invalid."""
    wrong = [each for each in given if not is_x_user_id(each)]
    if wrong:
        raise Invalid(
            "not_an_x_user_id",
            f"{len(wrong)} of {len(given)} given are not X user ids (1 to 19 digits, no leading zero), "
            f"the first is {wrong[0][:40]!r}. Nothing was done.",
        )


def me() -> str:
    """Name the person at the command line, for the audit."""
    return f"cli:{os.environ.get('SUDO_USER') or _user()}"[:64]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number that no file has a name for
        return f"uid {os.getuid()}"


def when(moment: datetime | None) -> str:
    """Show a time to people, in UTC and to the second."""
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
