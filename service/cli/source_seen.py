"""What each source sent in the last 7 days: how many ends, what was set aside, and a word about one that never ends."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from service.cli.common import when
from service.db import reading
from service.humanize import age, many
from service.models import delivery_item, feedback_request, webhook_delivery
from service.sources import call_counts
from service.states import Skip

RECENT = timedelta(days=7)
LONG = timedelta(days=3)  # a weekend is shorter
SOME, NEARLY_ALL = 10, 0.9
SWITCHED_OFF = "Has the CRM disabled its webhook? Many do after some failures"
ELSEWHERE = ("other_channel", "no_channel")  # understood, and not asked about by the source's own rule
di, wd, fr = delivery_item.c, webhook_delivery.c, feedback_request.c


@dataclass(frozen=True, slots=True)
class SourceWeek:
    """One source's week, by items on arrival.

    `no_end` is what was understood and told of no end; `repeated` are repeats, and ends found by reading again. `swept`
    are ends among `ended` that the source's list alone told of, `nameless` those of whose customer nothing was known.
    """

    newest: datetime | None = None
    ended: int = 0
    elsewhere: int = 0
    unmappable: int = 0
    reason: str | None = None
    no_end: int = 0
    repeated: int = 0
    nameless: int = 0
    swept: int = 0
    before: bool = False  # it sent something, though nothing in these days

    @property
    def cells(self) -> tuple[str, ...]:
        """What stands beside the source in the list; empty where nothing came."""
        if self.newest is None:
            return ("", "", "", "")
        lost = f"{self.unmappable} ({self.reason} …)" if self.unmappable else "0"
        return when(self.newest), str(self.ended), str(self.elsewhere), lost

    def silence(self, source: str, moment: datetime) -> str | None:
        """What to say of one that does not tell of ends any more.

        Vendors switch a webhook off after some failures, or change their word for the end.
        """
        if self.before:
            return f"{source}: nothing for more than 7 days. {SWITCHED_OFF}"
        if self.newest is not None and self.newest < moment - LONG:
            return f"{source}: nothing for {age((moment - self.newest).total_seconds())}. {SWITCHED_OFF}"
        if self.swept >= SOME and self.swept >= self.ended * NEARLY_ALL:
            ends = many(self.swept, "end")
            return f"{source}: its list reported {ends} in 7 days, and hardly any webhook did. {SWITCHED_OFF}"
        if self.ended >= SOME and self.nameless >= self.ended * NEARLY_ALL:
            return (
                f"{source}: {many(self.ended, 'end')} in 7 days, and nothing says who {self.nameless} of the customers "
                f"are on X (no_x_identity). {_look_at(source, 'accepted')}"
            )
        if not self.no_end or self.ended or self.elsewhere or self.repeated:
            return None
        return (
            f"{source}: {many(self.no_end, 'event')} in 7 days, and none reports an ended conversation. Does its "
            f"definition match the CRM's events? {_look_at(source, 'ignored')}"
        )


def _look_at(source: str, outcome: str) -> str:
    """Where one sees what it sent."""
    listed = f"`dm-feedback deliveries list --outcome {outcome} --source {source}`"
    return f"{listed}, then `dm-feedback sources explain --source {source} --delivery ID`"


NOTHING = SourceWeek()
EVER = sa.select(sa.exists().where(wd.source == sa.bindparam("this")))


def seen(engine: Engine, sources: Iterable[str], now: datetime) -> dict[str, SourceWeek]:
    """Return the week of each of these sources that ever sent anything."""
    number, first = sa.func.count(), di.reading == 0
    query = (
        sa.select(
            wd.source,
            sa.func.max(wd.received_at),
            number.filter(first, di.outcome == "accepted"),
            number.filter(first, di.reason.in_(ELSEWHERE)),
            number.filter(first, di.outcome == "unmappable"),
            sa.func.max(di.reason).filter(first, di.outcome == "unmappable"),
            number.filter(first, sa.or_(di.reason == "other_event", di.outcome == "reopened")),
            number.filter(sa.or_(di.outcome == "duplicate", sa.and_(di.outcome == "accepted", ~first))),
            number.filter(first, di.outcome == "accepted", fr.reason == Skip.NO_X_IDENTITY, fr.detail.is_(None)),
        )
        .join(delivery_item, di.delivery_id == wd.id)
        .outerjoin(feedback_request, fr.id == di.request_id)
        .where(wd.received_at > now - RECENT)
        .group_by(wd.source)
    )
    with reading(engine) as connection:
        told = call_counts.since(connection, now - RECENT)
        found = {
            row.source: SourceWeek(*row[1:], swept=told.get(row.source, {}).get(call_counts.SWEPT, 0))
            for row in connection.execute(query)
        }
        silent = [each for each in sources if each not in found]
        return found | {each: SourceWeek(before=True) for each in silent if connection.scalar(EVER, {"this": each})}
