"""Settings read again while we run: returns new settings a process could start with, or logs why it could not.

Broken new settings must not stop what runs. Decides nothing about what runs.
"""

from collections.abc import Callable, Collection
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from service import replica
from service.db.outages import is_away, why_away
from service.encrypting.in_force import engine_of
from service.errors import ServiceError
from service.intake.definition.load import load_definitions
from service.metrics import otel
from service.results.page.branding import mistakes
from service.settings import Settings, SettingsError, load
from service.startup import demand_fitting

log = structlog.get_logger(__name__)


def demand_defined(settings: Settings) -> None:
    """Refuse settings whose sources cannot be compiled, or that need what is not installed.

    Raises SettingsError, Unavailable.
    """
    load_definitions(settings.sources, settings.accounts)
    otel.demand_installed(settings.service.traces_to)


def demand_shown(settings: Settings) -> None:
    """The same for processes that show pages, including the pictures on them."""
    demand_defined(settings)
    if wrong := mistakes(settings.accounts.values()):
        raise SettingsError(wrong)


def reread(
    path: Path, demand: Callable[[Settings], None] = demand_defined, withheld: Collection[str] = ()
) -> Settings | None:
    """Read the settings again. None if nothing could start with them; the log says why."""
    try:
        settings = load(path, withheld=withheld)
        demand(settings)
        _try_database(settings)
    except (SettingsError, ServiceError, SQLAlchemyError) as error:
        log.error("settings_not_taken", problems=_said(error))  # noqa: TRY400 - no bug
    except Exception as error:  # a bug must not stop a running process either
        log.exception("settings_not_taken", error=type(error).__name__)
    else:
        return settings
    return None


def _try_database(settings: Settings) -> None:
    """Open it as a process would, and close it again: the caller may be about to fork."""
    engine = engine_of(settings)
    beside = replica.attach(engine, settings.database)
    try:
        demand_fitting(settings, engine)
    finally:
        engine.dispose()
        if beside is not None:
            beside.close()


def _said(error: Exception) -> list[str]:
    if isinstance(error, SettingsError):
        return error.said
    if isinstance(error, ServiceError):
        return [error.sentence]
    return [f"database.url {why_away(error) if is_away(error) else f'cannot be used ({type(error).__name__})'}"]
