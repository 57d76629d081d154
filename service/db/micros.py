"""How moments are stored: an aware datetime as microseconds since 1970, and back. Never without a zone."""

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Micros(sa.types.TypeDecorator[datetime]):
    """An aware datetime, stored as UTC microseconds since 1970, so no database loses its zone or its order."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002, D102 - SQLAlchemy's
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002, D102 - SQLAlchemy's
        return None if value is None else from_micros(value)


def to_micros(moment: datetime) -> int:
    """Return a moment as it is stored."""
    return (moment - EPOCH) // MICROSECOND


def from_micros(stored: int) -> datetime:
    """Return a stored moment, in UTC."""
    return EPOCH + timedelta(microseconds=stored)
