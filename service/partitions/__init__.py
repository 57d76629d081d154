"""Time partitions on PostgreSQL: history, access log and deliveries in pieces that can be dropped whole.

    cuts.py       where a table is cut, and how long a piece is
    pieces.py     which partitions exist, and how far a conversion has come
    keys.py       the table of keys by which repeated deliveries are recognised
    turning.py    converts a table while everything runs, step by step
    rights.py     functions that let the worker do this although it owns no table
    ahead.py      creates partitions before they are needed
    dropping.py   drops partitions whose every row is due
    keeping.py    what of all this the worker does every hour

`dm-feedback db partition` converts; the worker's housekeeping creates and drops. Decides nothing about a row.
"""
