"""Plays a ledger into a database in which answers came late and releases were closed daily.

Nothing of the service is replaced: rows as intake and results write them, releases as the worker closes them.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine

from service import migrations
from service.db import open_engine, reading, writing
from service.models import feedback_request, release, result
from service.reports.disclosure import store
from service.reports.disclosure.closing import close_due
from service.reports.disclosure.store import Release, ReleaseSeries
from service.settings import Settings
from tests import migrated_sqlite
from tests.reports.attack.ledgers import Spoken
from tests.reports.world import name_everybody, settings_of
from tests.support import request_row

DAY = timedelta(days=1)
ZONED = settings_of(service__time_zone="Europe/Berlin")


@dataclass
class Lived:
    """A database, what was put into it, and today."""

    engine: Engine
    settings: Settings = ZONED
    now: datetime = datetime(2026, 8, 3, tzinfo=UTC)
    spoken: dict[str, Spoken] = field(default_factory=dict)
    named_from: int = 0
    """Answers from which on somebody is named; 0: everybody is, so that nobody is safe among those who are not."""

    erased: dict[str, int] = field(default_factory=dict)
    """Answers whose score is gone, and the newest release that counts it."""

    def live(self, spoken: Sequence[Spoken], until: date) -> None:
        """Let everything happen that happens before a day, and close what is due on its morning."""
        new = [(f"r{i}", each) for i, each in enumerate(spoken) if each.ended < until and f"r{i}" not in self.spoken]
        came = [(f"r{i}", each) for i, each in enumerate(spoken) if each.seen and self.now.date() <= each.seen < until]
        with writing(self.engine) as connection:
            if new:
                connection.execute(sa.insert(feedback_request), [self._request(*each) for each in new])
            if came:
                connection.execute(sa.insert(result), [self._result(*each) for each in came])
        self.spoken |= dict(new)
        self.now = datetime.combine(until, time(3), self.settings.service.time_zone)
        name_everybody(self.engine, self.named_from)
        while close_due(self.engine, self.settings, self.now):
            pass

    def arrive(self, number: str, each: Spoken) -> None:
        """One more conversation and its answer, now."""
        with writing(self.engine) as connection:
            connection.execute(sa.insert(feedback_request), [self._request(number, each)])
            connection.execute(sa.insert(result), [self._result(number, each)])

    def erase_score(self, request_id: str) -> None:
        """What erasing a person does to an answer where settings say that scores go too."""
        with writing(self.engine) as connection:
            mine = result.c.request_id == request_id
            connection.execute(sa.update(result).where(mine).values(score=None, score_at=None))
        self.erased[request_id] = self.newest()

    def newest(self) -> int:
        """The last release that was made."""
        with reading(self.engine) as connection:
            return connection.scalar(sa.select(sa.func.max(release.c.id))) or 0

    def releases(self, account: str, partition: str, kind: str = "csat") -> tuple[Release, ...]:
        with reading(self.engine) as connection:
            return store.releases(connection, ReleaseSeries(account, kind), partition)

    def leaf_of_day(self) -> dict[str, Release]:
        """The day's release of every answer that is in one."""
        with reading(self.engine) as connection:
            rows = connection.execute(
                sa.select(result.c.request_id, release.c.id, release.c.first_day, release.c.end_day).join(
                    release, release.c.id == result.c.released
                )
            ).all()
        return {row[0]: Release(row[2], row[3], (), row[1]) for row in rows}

    def _request(self, number: str, each: Spoken) -> dict[str, Any]:
        at = self._moment(each.ended, each.hour)
        return request_row(
            at, id=number, account=each.account, conversation_id=number, team_id=each.team, agent_id=each.agent,
            campaign=each.campaign, language=each.language, type="csat", question_variant_id=1, state="card_sent",
            card_sent_at=at + timedelta(minutes=1),
        )  # fmt: skip

    def _result(self, number: str, each: Spoken) -> dict[str, Any]:
        assert each.seen is not None
        at = self._moment(each.seen, each.hour) + timedelta(minutes=5)
        return {
            "request_id": number, "feedback_id": f"f{number}", "score": each.score, "score_at": at, "text": None,
            "text_at": None, "x_updated_at": at, "first_seen_at": at, "first_channel": "webhook", "update_count": 1,
            "anomalies": 0, "updated_at": at,
        }  # fmt: skip

    def _moment(self, day: date, hour: int) -> datetime:
        return datetime.combine(day, time(hour), self.settings.service.time_zone).astimezone(UTC)


@contextmanager
def database(folder: Path) -> Iterator[Engine]:
    """A database that may be lost in a power cut, which makes it quick."""
    migrated_sqlite.put(folder / "attacked.db")
    engine = open_engine(f"sqlite:///{folder}/attacked.db")
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    yield engine
    engine.dispose()


@contextmanager
def database_for_once() -> Iterator[Engine]:
    """A database in a folder that goes with it."""
    with TemporaryDirectory(prefix="dmf-attack-") as folder, database(Path(folder)) as engine:
        yield engine


@contextmanager
def emptied(url: str) -> Iterator[Engine]:
    """A database of a PostgreSQL server, begun anew: whatever was in it is gone."""
    engine = open_engine(url)
    with writing(engine) as connection:
        for command in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public"):
            connection.execute(sa.text(command))
    migrations.upgrade(engine)
    yield engine
    engine.dispose()
