"""What readers have been told and what has been counted: the tables that sealing writes."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, Integer, Named, String, Table, TypedColumns

from service.db import Micros
from service.models.base import metadata, partial_index


class ChangeCounterColumns(TypedColumns):
    """One row: the last number a change was sealed with. Locked until commit, so numbers come in commit order.

    Written by requests.
    """

    id = Column(Integer, primary_key=True, autoincrement=False)  # 1
    epoch: Named[str] = Column(String(40))  # another one after a restore: numbers given since the backup are void
    last: Named[int] = Column(BigInteger)
    sealed_at: Named[datetime | None] = Column(Micros, nullable=True)


change_counter = Table("change_counter", metadata, ChangeCounterColumns)


class TallyBookColumns(TypedColumns):
    """One row: which roll-ups are in force, and how far the ledger has been walked for them. Written by reports."""

    id = Column(Integer, primary_key=True, autoincrement=False)  # 1
    generation: Named[int]  # another one: everything is counted anew
    zone: Named[str] = Column(String(64))  # whose days these are
    shape: Named[str] = Column(String(512))  # the dimensions they hold
    walked: Named[str | None] = Column(String(40), nullable=True)  # the last request counted; NULL: all are
    begun_at: Named[datetime | None] = Column(Micros, nullable=True)


tally_book = Table("tally_book", metadata, TallyBookColumns)


class TallyColumns(TypedColumns):
    """Conversations and answers of one group and span of time, added up. What a grain does not tell apart is NULL.

    Written by reports.
    """

    id = Column(String(32), primary_key=True)  # a digest of all that tells it apart
    generation: Named[int]
    clock: Named[str] = Column(String(9))  # ended_at | sent_at | scored_at
    span: Named[str] = Column(String(5))  # day | month
    start: Named[int]  # its first day, in days since 1970
    grain: Named[str] = Column(String(7))  # GRAINS of reports.counting
    account: Named[str] = Column(String(64))
    team: Named[str | None] = Column(String(256), nullable=True)
    agent: Named[str | None] = Column(String(256), nullable=True)
    campaign: Named[str | None] = Column(String(64), nullable=True)
    source: Named[str | None] = Column(String(64), nullable=True)
    language: Named[str | None] = Column(String(35), nullable=True)
    channel: Named[str | None] = Column(String(256), nullable=True)
    hour: Named[int | None]
    variant: Named[int | None]
    way: Named[str | None] = Column(String(16), nullable=True)
    handled_by: Named[str | None] = Column(String(8), nullable=True)
    type: Named[str | None] = Column(String(4), nullable=True)
    state: Named[str] = Column(String(12))  # open for every state that is on its way
    reason: Named[str | None] = Column(String(40), nullable=True)
    n: Named[int]
    answered: Named[int]
    commented: Named[int]
    s0: Named[int]
    s1: Named[int]
    s2: Named[int]
    s3: Named[int]
    s4: Named[int]
    s5: Named[int]
    s6: Named[int]
    s7: Named[int]
    s8: Named[int]
    s9: Named[int]
    s10: Named[int]


ASKED_OF_MONTHS = (
    *("team", "agent", "variant", "way", "type", "state", "reason", "n", "answered", "commented"),
    *(f"s{score}" for score in range(11)),
)
tally = Table(
    "tally",
    metadata,
    TallyColumns,
    Index("ix_tally_asked", "generation", "clock", "grain", "span", "account", "start"),
    partial_index(
        "ix_tally_months",
        *("generation", "clock", "grain", "account", "start"),
        where="span = 'month'",
        postgresql_include=ASKED_OF_MONTHS,
    ),
)
"""Months lie scattered among their days, so that in PostgreSQL an index holds all that is asked of them."""
