"""Tells an outage from a mistake of ours: is the database away, and why, for a sentence to people.

Decided in this one place: a caller who is told "away" will repeat the call, and must not repeat a bug for ever.
"""

import re

import sqlalchemy as sa

AWAY = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.InternalError, sa.exc.TimeoutError)
NO_TLS = "does not support TLS: turn it on there, or write sslmode=disable if you control the whole network path"
REPLACED = "replaced or removed while it was open"
WHY_AWAY = {
    REPLACED: f"was {REPLACED}: stop every dm-feedback process, run `db restored` if you restored a backup, and start "
    "them again",
    "not a database": "is not an SQLite database: write the right file into database.url",
    "malformed": "is damaged: keep the file, and put a backup in its place",
    "unable to open": "cannot be opened: this account must be able to read and write the file and its folder",
    "authentication failed|no password": "refuses the user or the password",
    'role ".*" does not exist': "refuses the user or the password",
    "pg_hba.conf": "does not let this user in from here: see its pg_hba.conf",
    'database ".*" does not exist': "does not exist under this name on the server",
    'root certificate file ".*" does not exist': "cannot be trusted: sslrootcert must name a file",
    "certificate": "shows a certificate that is not trusted here",
    "not support ssl": NO_TLS,
    "resolve host|translate host": "has a host name that cannot be resolved here",
    "refused|is the server running": "does not listen at that address",
    "too many clients|connection slots": "has no connection left",
    "connection timeout": "does not answer",
    "readonly|read-only": "accepts no writes",
    "is full|no space left": "has no room left",
    "disk i/o error": "cannot use its disk: is there space left?",
    "locked|timeout": "is busy",
    "no such table|does not exist": "lacks tables of this release: run `dm-feedback db upgrade`",
}
"""By what the server, or the library that speaks to it, says in English; the first that fits."""
NOT_MIGRATED_YET, DENIED, DISK_FULL = "42P01", "42501", "53100"  # PostgreSQL: undefined table, insufficient privilege
SQL_LOGIC_ERROR = 1  # SQLite's code for what is wrong with a statement; SQLAlchemy calls it operational
CANNOT_BE_OPENED, CANNOT_BE_WRITTEN, CANNOT_USE_ITS_DISK, DAMAGED, NO_DATABASE = 14, 8, 10, 11, 26  # SQLite's
FULL = 13
OURS = " This account must be able to read and write the file and its folder: run this as the service's account."
OF_THE_FILE = {
    CANNOT_BE_OPENED: OURS,
    CANNOT_BE_WRITTEN: OURS,
    DAMAGED: " Keep the file, and put a backup in its place: deploy/README.md says how.",
    NO_DATABASE: " Write the path of the right file, or of a new one, into database.url.",
    CANNOT_USE_ITS_DISK: " Is there room left on the disk the ledger lies on, and is that sound?",
}
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


def is_full(error: BaseException | None) -> bool:
    """Whether there was no room to write."""
    original = getattr(error, "orig", None)
    code = getattr(original, "sqlite_errorcode", 0) & PRIMARY
    return code == FULL or getattr(original, "sqlstate", None) == DISK_FULL


def why_away(error: BaseException) -> str:
    """What is wrong with a database that is away, as the end of a sentence, without quoting the error."""
    original = getattr(error, "orig", None)
    if getattr(original, "sqlstate", None) == DENIED:
        return "lacks the rights that deploy/roles.sql gives"
    said = str(original or error).lower()
    return next((why for words, why in WHY_AWAY.items() if re.search(words, said)), "does not answer")


def advice(error: BaseException) -> str:
    """What would help, if the database's own words do not say so."""
    original = getattr(error, "orig", None)
    if getattr(original, "sqlstate", None) == DENIED:
        return (
            " `db upgrade` is run as the owner of the database, and after it deploy/roles.sql, which gives web and "
            "workers their rights. Commands such as `keys create` need the owner, too."
        )
    tls = f" It {NO_TLS}." if why_away(error) == NO_TLS else ""
    return OF_THE_FILE.get(getattr(original, "sqlite_errorcode", 0) & PRIMARY, tls)
