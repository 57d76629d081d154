"""Who is alive, what was counted and forgotten, and which code may use this schema."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Integer, Named, String, Table, TypedColumns

from service.db import Micros
from service.models.base import metadata


class WorkerSeenColumns(TypedColumns):
    """A worker process and when it was last alive. Written by worker, and by privacy once it is dead."""

    name = Column(String(64), primary_key=True)
    started_at: Named[datetime] = Column(Micros)
    seen_at: Named[datetime] = Column(Micros)


worker_seen = Table("worker_seen", metadata, WorkerSeenColumns)


class ProcessCountColumns(TypedColumns):
    """What a process has counted since it began, for /metrics. Written by metrics."""

    name = Column(String(80), primary_key=True)
    role: Named[str] = Column(String(8))
    version: Named[str] = Column(String(32))
    python: Named[str] = Column(String(16))
    seen_at: Named[datetime] = Column(Micros)
    counts: Named[list[Any]] = Column(JSON)
    # of encryption at rest: the keys it holds, the one it writes under and since when; NULL: code that knows none
    encryption: Named[dict[str, Any] | None] = Column(JSON(none_as_null=True), nullable=True)
    # the accounts and sources of its settings, as in accounts.acme; NULL: code that does not say
    serves: Named[list[str] | None] = Column(JSON(none_as_null=True), nullable=True)
    revision: Named[str | None] = Column(String(32), nullable=True)  # the newest its code knows; NULL: before 0039


process_count = Table("process_count", metadata, ProcessCountColumns)


class RetentionRunColumns(TypedColumns):
    """When nothing of a kind was too old any more, and how many rows were forgotten. Written by privacy."""

    kind = Column(String(24), primary_key=True)
    finished_at: Named[datetime] = Column(Micros)
    rows: Named[int] = Column(BigInteger)


retention_run = Table("retention_run", metadata, RetentionRunColumns)


class SchemaFloorColumns(TypedColumns):
    """One row: the newest revision known to the oldest code that may work here. Written by migrations."""

    id = Column(Integer, primary_key=True, autoincrement=False)
    revision: Named[str] = Column(String(32))


schema_floor = Table("schema_floor", metadata, SchemaFloorColumns)


class RestoreColumns(TypedColumns):
    """A time the ledger was put back from a backup, and the newest moment it knew of then. Written by requests."""

    restored_at: Named[datetime] = Column(Micros, primary_key=True)
    known_until: Named[datetime] = Column(Micros)


restore = Table("restore", metadata, RestoreColumns)
