"""The database: in, a URL; out, an engine and the two kinds of transaction.

SQLite runs in WAL with `synchronous=FULL` and a library without the WAL-reset bug; PostgreSQL with
`synchronous_commit=on`. A 2xx of ours rests on both.

engines.py       an engine of either database       transactions.py  reading, writing, what is told once committed
sqlite.py        SQLite as we use it                postgresql.py    PostgreSQL as we use it
hosts.py         addresses with several hosts       micros.py        moments, as they are stored
outages.py       is it away, or a mistake of ours?  driver_errors.py what a driver's error may say
deadline.py      the time a reading may take        watchdog.py      a server that has stopped answering
leases.py        who is bound, and until when       partitioned.py   which tables lie in time partitions
steady.py        what one reading asks only once

Knows no table of ours.
"""

from service.db.engines import ConnectionWait, demand_settings, open_engine
from service.db.micros import EPOCH, MICROSECOND, Micros, from_micros, to_micros
from service.db.transactions import begun, insert, insert_of, once_committed, reading, reading_on, writing

__all__ = [
    "EPOCH",
    "MICROSECOND",
    "ConnectionWait",
    "Micros",
    "begun",
    "demand_settings",
    "from_micros",
    "insert",
    "insert_of",
    "once_committed",
    "open_engine",
    "reading",
    "reading_on",
    "to_micros",
    "writing",
]
