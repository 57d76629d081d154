"""Gauges of the APIs of sources: whether they may be asked, who waits for them, and what they told."""

from datetime import timedelta

import sqlalchemy as sa

from service.metrics.gauge import Gauge, seconds_since
from service.models import look_up, look_up_count, source_state, source_sweep

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
ss, lu, lc, sw = source_state.c, look_up.c, look_up_count.c, source_sweep.c

OF_SOURCES = (
    Gauge(
        "source_held",
        "1 if a source's API refuses our calls. No customers are looked up there until somebody releases the source.",
        ("source", "reason"),
        lambda _now: sa.select(ss.source, ss.hold_reason, sa.literal(1)).where(ss.hold_reason.is_not(None)),
    ),
    Gauge(
        "source_away_seconds",
        "How long a source's API has given no usable answer while conversations wait for it. Absent if it answers.",
        ("source",),
        # who waits asks again within half an hour; without anybody who waits, the last silence may be long over
        lambda now: sa.select(ss.source, seconds_since(ss.away_since, now)).where(
            ss.away_since.is_not(None), ss.hold_reason.is_(None), sa.exists().where(lu.source == ss.source)
        ),
    ),
    Gauge(
        "look_ups_waiting",
        "Conversations that wait for a customer lookup in the CRM, by source.",
        ("source",),
        lambda _now: sa.select(lu.source, sa.func.count()).group_by(lu.source),
    ),
    Gauge(
        "look_ups_day",
        "Lookups, and ended conversations found through a list (swept…), since yesterday's midnight (UTC), "
        "by source and outcome.",
        ("source", "outcome"),
        lambda now: (
            sa.select(lc.source, lc.outcome, sa.func.sum(lc.n))
            .where(lc.day >= f"{now - DAY:%Y-%m-%d}")
            .group_by(lc.source, lc.outcome)
        ),
    ),
    Gauge(
        "sweep_behind_seconds",
        "Age of the point up to which a source's list of ended conversations has been read. Under two "
        "hours is healthy.",
        ("source",),
        # a list due for longer than any reader ever waits is no longer read by anybody
        lambda now: sa.select(sw.source, seconds_since(sw.read_until, now)).where(sw.due_at > now - 3 * HOUR),
    ),
)
