"""Which key values are encrypted under, and how far a change to another one has come."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, Integer, Named, String, Table, Text, TypedColumns, text

from service.db import Micros
from service.models.base import metadata

NO_ROWS = text("0")


class EncryptionColumns(TypedColumns):
    """One row: what new values are encrypted under, and how far the old ones follow. Written by encrypting."""

    id = Column(Integer, primary_key=True, autoincrement=False)  # 1
    key_id: Named[str | None] = Column(String(8), nullable=True)  # NULL: nothing is encrypted any more
    ids: Named[bool | None]  # encrypted under a key of the one below; NULL: never were, False: not any more
    digest_key: Named[str] = Column(
        Text
    )  # behind keyed digests and ids: encrypted under that key, in hexadecimal where none is
    begun_at: Named[datetime] = Column(Micros)
    finished_at: Named[datetime | None] = Column(Micros, nullable=True)
    at_table: Named[str | None] = Column(String(64), nullable=True)  # of the pass under way; NULL: it has not begun
    at_row: Named[list[Any] | None] = Column(JSON(none_as_null=True), nullable=True)  # key of the last row looked at
    everybody: Named[bool | None]  # all processes wrote so when the pass began: only such a one can be the last
    looked_at: Named[int] = Column(BigInteger, server_default=NO_ROWS)  # rows of this pass
    changed: Named[int] = Column(BigInteger, server_default=NO_ROWS)  # of this pass
    rewritten: Named[int] = Column(BigInteger, server_default=NO_ROWS)  # rows since it was begun
    skipped: Named[int] = Column(BigInteger, server_default=NO_ROWS)  # of this pass: somebody was changing them
    refused: Named[int] = Column(BigInteger, server_default=NO_ROWS)  # of this pass: changed or moved by somebody


encryption = Table("encryption", metadata, EncryptionColumns)


class EncryptionKeyColumns(TypedColumns):
    """A key without which something here cannot be read. Written by encrypting."""

    id = Column(String(8), primary_key=True)
    since: Named[datetime] = Column(Micros)


encryption_key = Table("encryption_key", metadata, EncryptionKeyColumns)
