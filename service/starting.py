"""Checks a database before any process works on it: right revision, right settings, right keys. Changes nothing."""

from sqlalchemy.engine import Engine

from service import migrations
from service.customers.hash_key import demand_right_secret
from service.db import demand_settings
from service.encrypting.in_force import demand_keys
from service.settings import Settings


def demand_fitting(settings: Settings, engine: Engine) -> None:
    """Refuse a database that is not at our revision or does not belong to these settings. Raises Unavailable."""
    migrations.require_fitting(engine)
    demand_settings(engine)
    demand_right_secret(engine, settings.service.secret_key)
    demand_keys(engine)
