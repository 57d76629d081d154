"""Checks a database before any process works on it: right revision, right settings, right keys. Changes nothing."""

from collections.abc import Callable
from functools import partial

from sqlalchemy.engine import Engine

from service import migrations
from service.customers.hash_key import demand_right_secret
from service.db import demand_settings
from service.encrypting.in_force import demand_keys
from service.settings import Settings


def demand_fitting(settings: Settings, engine: Engine) -> None:
    """Refuse a database that is not at our revision or does not belong to these settings. Raises Unavailable."""
    for demand in demands(settings):
        demand(engine)


def demands(settings: Settings) -> tuple[Callable[[Engine], None], ...]:
    """The single checks, each of which raises Unavailable."""
    secret = partial(demand_right_secret, secret=settings.service.secret_key)
    return migrations.require_fitting, demand_settings, secret, demand_keys
