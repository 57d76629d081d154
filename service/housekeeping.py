"""Retention and erasure across the chapters: in, the settings' ages or one person; out, counts a kind of data.

Each chapter forgets in its own tables; this file only calls them in one order. `dry_run` counts and changes nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.auth import access, log_access, sessions
from service.db import writing
from service.intake import forget as intake
from service.models import worker_seen
from service.outreach import forget as outreach
from service.outreach.ledger import Queue
from service.reports.rows import notes as reports
from service.results import forget as results
from service.settings import Settings

WORKER_FORGOTTEN = timedelta(days=1)


def prune(engine: Engine, settings: Settings, now: datetime, *, dry_run: bool) -> Mapping[str, int]:
    """Forget what is older than its retention."""
    keep = settings.privacy
    longest_cooldown = max((each.cooldown for each in settings.campaigns), default=timedelta(0))
    counts: dict[str, int] = {}
    with writing(engine) as connection:
        counts["deliveries"] = intake.prune(connection, now - keep.keep_deliveries, dry_run=dry_run)
    with writing(engine) as connection:
        counts |= outreach.prune(
            connection,
            secret_key=settings.service.secret_key,
            identities_before=now - max(keep.keep_identities, longest_cooldown),
            history_before=now - keep.keep_history,
            dry_run=dry_run,
        )
    with writing(engine) as connection:
        counts |= results.prune(
            connection, texts_before=now - keep.keep_texts, history_before=now - keep.keep_history, dry_run=dry_run
        )
    with writing(engine) as connection:
        counts["access_log"] = access.prune(connection, now - keep.keep_access_log, dry_run=dry_run)
        if not dry_run:
            sessions.prune(connection, now)
            connection.execute(sa.delete(worker_seen).where(worker_seen.c.seen_at < now - WORKER_FORGOTTEN))
    return counts


def erase(engine: Engine, settings: Settings, x_user_id: str, *, by: str, now: datetime) -> Mapping[str, int]:
    """Forget one person everywhere, in one transaction; the score stays as a count unless settings say otherwise."""
    queue = Queue(engine, settings, by)
    with writing(engine) as connection:
        outreach.recall(connection, x_user_id, secret_key=settings.service.secret_key)
        handles = outreach.handles_of(connection, x_user_id)
        counts = dict(results.erase(connection, x_user_id, scores=settings.privacy.erase_scores, now=now))
        counts["deliveries"] = intake.erase(connection, x_user_id, handles)
        counts["notes"] = reports.erase(connection, x_user_id)
        counts |= outreach.erase(connection, queue, x_user_id, by=by, now=now)
        log_access(connection, by, "customer.erase", counts, now)
    return counts
