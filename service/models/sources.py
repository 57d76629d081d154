"""What is known of a source's API, and whose customers are to be looked up there."""

from datetime import datetime

from sqlalchemy import Column, ForeignKey, Index, Named, String, Table, TypedColumns

from service.db import Micros
from service.models.base import metadata


class SourceStateColumns(TypedColumns):
    """What all workers must know of a source's API: hold, pause, calls in this minute. Written by sources."""

    source = Column(String(64), primary_key=True)
    hold_reason: Named[str | None] = Column(String(64), nullable=True)
    held_at: Named[datetime | None] = Column(Micros, nullable=True)
    paused_until: Named[datetime | None] = Column(Micros, nullable=True)  # 429: until its reset
    away_since: Named[datetime | None] = Column(Micros, nullable=True)  # it has answered no call since then
    window_until: Named[datetime | None] = Column(Micros, nullable=True)
    used: Named[int]  # calls in this window
    names_due_at: Named[datetime | None] = Column(Micros, nullable=True)  # its staff's names; NULL: now
    updated_at: Named[datetime] = Column(Micros)


source_state = Table("source_state", metadata, SourceStateColumns)


class LookUpColumns(TypedColumns):
    """A request whose customer is to be looked up in the CRM; gone when that is done. Written by sources."""

    request_id = Column(String(40), ForeignKey("feedback_request.id"), primary_key=True)
    source: Named[str] = Column(String(64))
    customer: Named[str | None] = Column(String(64), nullable=True)  # keyed hash of the CRM's word; NULL: it says none
    due_at: Named[datetime] = Column(Micros)
    attempts: Named[int]
    lease_token: Named[str | None] = Column(String(40), nullable=True)
    lease_until: Named[datetime | None] = Column(Micros, nullable=True)


look_up = Table("look_up", metadata, LookUpColumns, Index(None, "source", "due_at"))


class LookUpCountColumns(TypedColumns):
    """How look-ups of a day ended, by source: for people who ask why nobody is found. Written by sources."""

    source = Column(String(64), primary_key=True)
    day = Column(String(10), primary_key=True)  # of UTC, as in 2026-11-29
    outcome = Column(
        String(16), primary_key=True
    )  # found | nobody | channel | limited | away | refused; swept…: sources/call_counts.py
    n: Named[int]


look_up_count = Table("look_up_count", metadata, LookUpCountColumns)


class SourceSweepColumns(TypedColumns):
    """How far a source's list of ended conversations is read, and the page a reading is at. Written by sources."""

    source = Column(String(64), primary_key=True)
    read_until: Named[datetime] = Column(Micros)  # when the last whole reading began
    began_at: Named[datetime | None] = Column(Micros, nullable=True)  # of the reading that is on its way
    cursor: Named[str | None] = Column(String(2000), nullable=True)  # of its next page; NULL: the first
    page: Named[int]
    due_at: Named[datetime] = Column(Micros)
    attempts: Named[int]
    problem: Named[str | None] = Column(String(64), nullable=True)  # why the last page was not read
    lease_token: Named[str | None] = Column(String(40), nullable=True)
    lease_until: Named[datetime | None] = Column(Micros, nullable=True)


source_sweep = Table("source_sweep", metadata, SourceSweepColumns)
