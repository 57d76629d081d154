"""The figures every surface publishes: in, a reader and a filter; out, frozen dataclasses.

figures.py     every figure, for either kind of reader    shapes.py, then_now.py   what a figure looks like
asking.py, live.py    who sees rows: the question, and what the rows add up to
released.py, released_groups.py   who sees none: what closed releases say
sides.py, differing.py   then and now: each side, and how they differ
comparing.py   two sides compared                   covering.py  who was offered the card
printed.py     counts in, a figure with its interval out
labels.py      what groups are called               several.py   several figures of one moment
saved.py       a saved question                     as_table.py  a figure as CSV

Never writes, never formats.
"""
