"""The database: a URL in, an engine and two kinds of transaction out.

SQLite runs in WAL mode with `synchronous=FULL` and a library without the WAL-reset bug; PostgreSQL with
`synchronous_commit=on`. Every 2xx we answer relies on both.

engines.py            an engine for either database
transactions.py       reading, writing, what to do after the commit
sqlite.py             SQLite as we use it                  postgresql.py     PostgreSQL as we use it
multi_host_url.py     addresses with several hosts         micros.py         how moments are stored
outages.py            is it away, or a mistake of ours?    driver_errors.py  what a driver's error may reveal
deadline.py           how long a statement may take        watchdog.py       ends waits for a hanging server
leases.py             leases: held, or over                partitioned.py    which tables are partitioned by time
batch_deletion.py     deletes in small commits             as_stored.py      columns as the database has them
transaction_cache.py  caches within one read transaction   table_locks.py    locks a table while others use it

Knows no table of ours.
"""

from service.db.engines import demand_settings, open_engine
from service.db.micros import EPOCH, MICROSECOND, Micros, from_micros, to_micros
from service.db.postgresql import ConnectionWait
from service.db.transactions import (
    begun,
    insert,
    insert_missing,
    insert_of,
    once_committed,
    reading,
    reading_on,
    upsert,
    writing,
)

__all__ = [
    "EPOCH",
    "MICROSECOND",
    "ConnectionWait",
    "Micros",
    "begun",
    "demand_settings",
    "from_micros",
    "insert",
    "insert_missing",
    "insert_of",
    "once_committed",
    "open_engine",
    "reading",
    "reading_on",
    "to_micros",
    "upsert",
    "writing",
]
