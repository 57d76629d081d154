"""One database into another, for a ledger that has outgrown its place: `dm-feedback db copy`.

    rows.py    what is read, compared and written: whole rows, as they are stored
    moving.py  passes over all tables while the service runs; the end, when nothing lives on the old one; the proof

Decides nothing about a request. Until the end the new database is marked, and no process of ours starts on it.
"""
