"""What every command shares: in, the settings' path; out, settings, an engine, and errors as one sentence."""

import getpass
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from service import logs, migrations
from service.db import open_engine
from service.errors import ServiceError
from service.settings import Settings, SettingsError, load

console = Console()
errors = Console(stderr=True)
BAD_SETTINGS = 78  # EX_CONFIG of sysexits.h


class Friendly(click.Group):
    """Shows our own errors as sentences. A stack trace is for bugs."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(context)
        except SettingsError as error:
            show_problems(str(context.obj), error)
            context.exit(BAD_SETTINGS)
        except ServiceError as error:
            errors.print(f"[red]{error.sentence}[/red]  ({error.code})", soft_wrap=True, highlight=False)
            context.exit(1)
        except OperationalError as error:
            errors.print(f"[red]The database does not answer:[/red] {error.orig}", soft_wrap=True, highlight=False)
            context.exit(1)


def settings_of(context: click.Context) -> Settings:
    """Load the settings the command was started with, and set up logs after them."""
    settings = load(Path(context.find_root().obj))
    logs.configure(settings.service.log_format)
    return settings


def opened(context: click.Context) -> tuple[Settings, Engine]:
    """Load the settings and open a database that is at our revision."""
    settings = settings_of(context)
    engine = open_engine(settings.database.url)
    migrations.require_head(engine)
    return settings, engine


def show_problems(path: str, error: SettingsError) -> None:
    """Print every mistake of a settings file: where, and what would be right."""
    table = Table(title=f"{path}: {len(error.problems)} to mend", title_justify="left", show_lines=False)
    table.add_column("setting", style="bold", overflow="fold")
    table.add_column("what is wrong, and what would be right", overflow="fold")
    for problem in error.problems:
        table.add_row(problem.path, problem.sentence)
    errors.print(table)


def now() -> datetime:
    """Return the wall clock."""
    return datetime.now(UTC)


def me() -> str:
    """Name the person at the command line, for the audit."""
    return f"cli:{os.environ.get('SUDO_USER') or getpass.getuser()}"[:64]


def when(moment: datetime | None) -> str:
    """Show a time to people, in UTC and to the second."""
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
