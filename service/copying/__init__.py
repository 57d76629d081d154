"""One database into another, for a ledger that has outgrown its place: `dm-feedback db copy`.

    rows.py    what is read, compared and written: whole rows, as they are stored
    known.py   by what deliveries are known again at the new place
    moving.py  passes over all tables while the service runs; the end, when nothing lives on the old one; the proof
    accounts.py     some accounts into another cluster, while both work     of_accounts.py  which rows go with them
    numbering.py    numbers two databases give, kept apart                  same_keys.py    whether both have one's keys

Decides nothing about a request. Until the end the new database is marked, and no process of ours starts on it.
"""
