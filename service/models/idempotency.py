"""What a POST with an Idempotency-Key has made: the table that web/idempotency writes."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Named, String, Table, TypedColumns

from service.at_rest.columns import EncryptedJson
from service.at_rest.digests import KeyedDigest
from service.db import Micros
from service.models.base import metadata


class PostedOnceColumns(TypedColumns):
    """An `Idempotency-Key` of a key's holder, in the same commit as what it made. Kept a day. Written by web."""

    key_id = Column(String(24), primary_key=True)
    name = Column(String(64), primary_key=True)  # a digest of the header: it may be long, and may hold anything
    digest: Named[str] = Column(KeyedDigest(64))  # of the address and the body
    # the id of what was made; of the release before also its words, until a day has passed
    answer: Named[dict[str, Any] | None] = Column(
        EncryptedJson("posted_once.answer", "key_id", "name", none_as_null=True), nullable=True
    )
    at: Named[datetime] = Column(Micros)


posted_once = Table("posted_once", metadata, PostedOnceColumns, Index(None, "at"))
