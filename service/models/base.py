"""What all tables share: metadata, naming, row numbers, partial indexes."""

from typing import Any

from sqlalchemy import BigInteger, Index, Integer, MetaData, String, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only for INTEGER keys; PostgreSQL wants room for years of deliveries.
Serial = BigInteger().with_variant(Integer(), "sqlite")

# An id of X, as wide as `x_api` lets one in. SQLite counts no letters, and to change what it notes would copy a table.
XId = String(64).with_variant(String(24), "sqlite")


def partial_index(name: str, *columns: str, where: str, **options: Any) -> Index:
    """Return an index of the rows that meet a condition, for both databases."""
    condition = text(where)
    return Index(name, *columns, sqlite_where=condition, postgresql_where=condition, **options)
