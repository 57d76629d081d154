"""The processes that run it. In: nothing; out: the table of living workers. Holds no rule."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Named, String, Table, TypedColumns

from service.db import Micros
from service.models.base import metadata


class WorkerSeenColumns(TypedColumns):
    """A worker process and when it was last alive. Written by worker, and by housekeeping once it is dead."""

    name = Column(String(64), primary_key=True)
    started_at: Named[datetime] = Column(Micros)
    seen_at: Named[datetime] = Column(Micros)


worker_seen = Table("worker_seen", metadata, WorkerSeenColumns)


class RetentionRunColumns(TypedColumns):
    """When nothing of a kind was too old any more, and how many rows were forgotten. Written by housekeeping."""

    kind = Column(String(24), primary_key=True)
    finished_at: Named[datetime] = Column(Micros)
    rows: Named[int] = Column(BigInteger)


retention_run = Table("retention_run", metadata, RetentionRunColumns)
