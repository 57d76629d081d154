"""Copies one database into another, for a ledger that has outgrown its place: `dm-feedback db copy`.

    rows.py       whole rows, read, compared and written as they are stored
    moving.py     passes over all tables while the service runs, the final pass, and the proof
    known.py      duplicates are recognised in the new place too
    accounts.py   only some accounts, into another cluster, while both work    of_accounts.py  the rows that go along
    numbering.py  sequence numbers that must not clash                         same_keys.py    do both share their keys?

Decides nothing about a request. The new database is marked until the end, and no process of ours starts on it before.
"""
