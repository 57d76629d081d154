"""Retention and erasure across the chapters: in, the settings' ages or one person; out, counts a kind of data.

Each chapter forgets in its own tables; this file only calls them in one order. `dry_run` counts and changes nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service import held
from service.auth import chain, log_access, sessions
from service.customers import found, identities, opted_out
from service.customers.hash_key import open_key
from service.db import writing
from service.intake import forget as intake
from service.models import worker_seen
from service.outreach.workplace import Workplace
from service.reports.rows import notes as reports
from service.requests import forget as requests
from service.results import forget as results
from service.settings import Settings
from service.sources import counted

WORKER_FORGOTTEN = timedelta(days=1)


def prune(engine: Engine, settings: Settings, now: datetime, *, dry_run: bool) -> Mapping[str, int]:
    """Forget what is older than its retention."""
    keep = settings.privacy
    longest_cooldown = max((each.cooldown for each in settings.campaigns), default=timedelta(0))
    counts: dict[str, int] = {}
    hash_key = open_key(engine, settings.service.secret_key)
    with writing(engine) as connection:
        counts["deliveries"] = intake.prune(connection, now - keep.keep_deliveries, dry_run=dry_run)
    with writing(engine) as connection:
        identities_before = now - max(keep.keep_identities, longest_cooldown)
        counts |= requests.prune(
            connection,
            hash_key=hash_key,
            identities_before=identities_before,
            history_before=now - keep.keep_history,
            dry_run=dry_run,
        )
        if not dry_run:
            identities.prune(connection, identities_before)
            found.prune(connection, now)
            counted.prune(connection, now)
    with writing(engine) as connection:
        counts |= results.prune(
            connection,
            texts_before=now - keep.keep_texts,
            history_before=now - keep.keep_history,
            now=now,
            dry_run=dry_run,
        )
    with writing(engine) as connection:
        counts["access_log"] = chain.prune(connection, now - keep.keep_access_log, dry_run=dry_run)
        if not dry_run:
            sessions.prune(connection, now)
            connection.execute(sa.delete(worker_seen).where(worker_seen.c.seen_at < now - WORKER_FORGOTTEN))
    return counts


def erase(engine: Engine, settings: Settings, x_user_id: str, *, by: str, now: datetime) -> Mapping[str, int]:
    """Forget one person everywhere, in one transaction; the score stays as a count unless settings say otherwise."""
    place = Workplace.open(engine, settings, by)
    with writing(engine) as connection:
        handles = held.names_of(connection, x_user_id)
        requests.recall(connection, x_user_id, handles, hash_key=place.hash_key)
        handles |= requests.handles_of(connection, x_user_id)
        counts = dict(results.erase(connection, x_user_id, scores=settings.privacy.erase_scores, now=now))
        counts["deliveries"] = intake.erase(connection, x_user_id, sorted(handles))
        counts["notes"] = reports.erase(connection, x_user_id)
        opted_out.add(connection, [x_user_id], hash_key=place.hash_key, reason="erased", by=by, now=now)
        counts["requests"] = requests.erase(connection, x_user_id, place.hand, now)
        counts["handles"] = identities.erase(connection, x_user_id)
        counts["found"] = found.erase(connection, x_user_id, handles)
        log_access(connection, by, "customer.erase", counts, now)
    return counts
