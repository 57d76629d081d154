"""Checks a database before any process works on it: right revision, right settings, right keys.

Tells the access log when processes begin to work with other settings than those before; changes nothing else.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import partial

import sqlalchemy as sa
import structlog
from sqlalchemy.engine import Engine

from service import migrations
from service.auth import log_access
from service.customers.hash_key import demand_right_secret
from service.db import demand_settings, writing
from service.db.outages import AWAY
from service.encrypting.in_force import demand_keys
from service.models import access_log
from service.process import name_of
from service.settings import Settings

CHANGED = "settings.change"
LAST = sa.select(access_log.c.detail).where(access_log.c.action == CHANGED).order_by(access_log.c.id.desc()).limit(1)
log = structlog.get_logger(__name__)


def demand_fitting(settings: Settings, engine: Engine) -> None:
    """Refuse a database that is not at our revision or does not belong to these settings. Raises Unavailable."""
    for demand in demands(settings):
        demand(engine)


def demands(settings: Settings) -> tuple[Callable[[Engine], None], ...]:
    """The single checks, each of which raises Unavailable."""
    secret = partial(demand_right_secret, secret=settings.service.secret_key)
    return migrations.require_fitting, demand_settings, secret, demand_keys


def note_settings(settings: Settings, engine: Engine, now: datetime) -> None:
    """Tell the access log if these are not the settings that were told last."""
    digest = hashlib.sha256(repr(settings).encode()).hexdigest()[:16]  # of all but secrets, which no repr shows
    try:
        with writing(engine) as connection:
            before = (connection.scalar(LAST) or {}).get("digest")
            if before != digest:
                log_access(connection, name_of(), CHANGED, {"digest": digest, "before": before}, now)
    except AWAY:  # it can be read, perhaps, and pages be shown
        log.warning("settings_not_noted")
