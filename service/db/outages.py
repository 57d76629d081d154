"""Tells an outage from a mistake of ours: is the database away, and why, for a sentence to people.

Decided in this one place: a caller who is told "away" will repeat the call, and must not repeat a bug for ever.
"""

import sqlalchemy as sa

AWAY = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError, sa.exc.TimeoutError)
WHY_AWAY = {
    "readonly": "takes no writes",
    "read-only": "takes no writes",
    "is full": "has no room left",
    "no space left": "has no room left",
    "locked": "is busy",
    "timeout": "is busy",
    "no such table": "has no tables yet",
    "does not exist": "has no tables yet",
}
NOT_MIGRATED_YET, DENIED = "42P01", "42501"  # PostgreSQL: undefined table, insufficient privilege
SQL_LOGIC_ERROR = 1  # SQLite's code for what is wrong with a statement; SQLAlchemy calls it operational
CANNOT_BE_OPENED, CANNOT_BE_WRITTEN = 14, 8  # SQLite's
PRIMARY = 0xFF  # of a code of SQLite; what stands above it says more


def is_away(error: BaseException) -> bool:
    """Whether the database is away, full, read-only, busy, not yet migrated or granted: a later try may succeed.

    A mistake in one of our statements does not count, because it would be repeated for ever.
    """
    if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
        return True
    if isinstance(error, sa.exc.ProgrammingError):
        return getattr(error.orig, "sqlstate", None) in {NOT_MIGRATED_YET, DENIED}
    if type(error) is sa.exc.DatabaseError:  # "file is not a database"
        return True
    if not isinstance(error, AWAY):
        return False
    said = getattr(error, "orig", None)
    return getattr(said, "sqlite_errorcode", None) != SQL_LOGIC_ERROR or "no such table" in str(said)


def why_away(error: BaseException) -> str:
    """What is wrong with a database that is away, as the end of a sentence, without quoting the error."""
    original = getattr(error, "orig", None)
    if getattr(original, "sqlstate", None) == DENIED:
        return "lacks the rights that deploy/roles.sql gives"
    said = str(original or error).lower()
    return next((why for word, why in WHY_AWAY.items() if word in said), "does not answer")


def advice(error: BaseException) -> str:
    """What would help, if the database's own words do not say so."""
    original = getattr(error, "orig", None)
    if getattr(original, "sqlstate", None) == DENIED:
        return (
            " `db upgrade` is run as the owner of the database, and after it deploy/roles.sql, which gives web and "
            "workers their rights."
        )
    if getattr(original, "sqlite_errorcode", 0) & PRIMARY in {CANNOT_BE_OPENED, CANNOT_BE_WRITTEN}:
        return (
            " This account must be able to read and write the file and its folder: run this as the service's account."
        )
    return ""
