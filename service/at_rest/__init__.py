"""Encryption at rest, the part below the tables: keys that lock a value to its place, and columns that use them.

    ring.py      keys from the settings; a value locked under one of them, for one row of one column
    columns.py   kinds of column whose values are locked on their way in and opened on their way out
    ids.py       ids, which statements compare: locked so that equal ones are found   digests.py  digests, blinded
    unreadable.py  what stands where a value did not open

Which key is in force, and how a database goes over to it, stands in `service/encrypting`.
"""
