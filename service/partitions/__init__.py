"""Time partitions on PostgreSQL: history, access log and deliveries in pieces that are dropped whole.

    cuts.py       where a table is cut: its column, moments as bounds and back, how long a piece is
    pieces.py     which partitions there are, and how far turning a table over has come; who is busy
    keys.py       the table of keys by which deliveries are known again
    turning.py    a table becomes its own first partition, step by step, while everything runs
    rights.py     what the worker may do though it owns no table: four functions, and the rights of a table
    ahead.py      new partitions before they are needed; rows for which there was none
    dropping.py   partitions whose every row is due
    keeping.py    what of all this the worker does in an hour

`dm-feedback db partition` turns over; the worker's housekeeping makes and drops. Decides nothing about a row.
"""
