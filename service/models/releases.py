"""What analysts, who see no rows, may be told: releases, their leaves, and what later releases are made of.

Few rows, and final: only the progress of the walk ever changes.
"""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Column, Date, ForeignKey, Index, Named, String, Table, TypedColumns, UniqueConstraint

from service.db import Micros
from service.models.base import Serial, metadata


class ReleaseColumns(TypedColumns):
    """A span of time of one account and kind of card that was closed, once and for good. Written by reports."""

    id = Column(Serial, primary_key=True)
    account: Named[str] = Column(String(64))
    type: Named[str] = Column(String(4))  # csat | nps; empty: conversations, asked or not
    partition: Named[str] = Column(String(12))  # day | team | agent | rest | a context | cohort | …_work
    first_day: Named[date] = Column(Date)
    end_day: Named[date] = Column(Date)  # not part of it
    closed_at: Named[datetime] = Column(Micros)
    checksum: Named[str] = Column(String(64))  # a damaged release is not published any more, in no form


release = Table("release", metadata, ReleaseColumns, UniqueConstraint("account", "type", "partition", "end_day"))


class ReleaseLeafColumns(TypedColumns):
    """A group of a release, with enough answers, and its numbers. Written by reports."""

    id = Column(Serial, primary_key=True)
    release_id: Named[int] = Column(Serial, ForeignKey("release.id"))
    label: Named[list[Any]] = Column(JSON)  # [team], [team, agent], [campaign] …; of a pool what its members share
    pooled: Named[bool]
    counts: Named[dict[str, int]] = Column(JSON)


release_leaf = Table("release_leaf", metadata, ReleaseLeafColumns, Index(None, "release_id"))


class ReleaseCellColumns(TypedColumns):
    """The answers of a day's release as they were when it closed, nobody's: later releases are made of them.

    Written by reports, and removed by it when the last release they are part of has closed.
    """

    id = Column(Serial, primary_key=True)
    release_id: Named[int] = Column(Serial, ForeignKey("release.id"))
    team_id: Named[str | None] = Column(String(256), nullable=True)
    agent_id: Named[str | None] = Column(String(256), nullable=True)
    contexts: Named[dict[str, Any]] = Column(JSON)
    score: Named[int]
    n: Named[int]


release_cell = Table("release_cell", metadata, ReleaseCellColumns, Index(None, "release_id"))


class ReleaseWalkColumns(TypedColumns):
    """How far a partition has been closed: whoever moves it forward writes the release in the same commit.

    Written by reports.
    """

    account = Column(String(64), primary_key=True)
    type = Column(String(4), primary_key=True)
    partition = Column(String(12), primary_key=True)
    until_day: Named[date] = Column(Date)  # days before it are done


release_walk = Table("release_walk", metadata, ReleaseWalkColumns)
