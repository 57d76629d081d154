"""Time partitions on PostgreSQL: history, access log and deliveries in pieces that can be dropped whole.

    cuts.py             where a table is cut, and how long a piece is
    catalog.py          which partitions exist, and how far a conversion has come
    delivery_keys.py    the table of keys by which repeated deliveries are recognised
    conversion.py       converts a table while everything runs, step by step
    owner_functions.py  functions that let the worker do this although it owns no table
    creation.py         creates partitions before they are needed
    dropping.py         drops partitions whose every row is due
    upkeep.py           what of all this the worker does every hour

`dm-feedback db partition` converts; the worker's housekeeping creates and drops. Decides nothing about a row.
"""
