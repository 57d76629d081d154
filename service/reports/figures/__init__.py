"""The figures every surface publishes: a reader and a filter in, frozen dataclasses out. Never writes, never formats.

figures.py                       every figure, for either kind of reader
shapes.py, then_now.py           what a figure looks like
inquiry.py, live.py              for readers of rows: the question, and what the rows add up to
released.py, released_groups.py  for readers of no rows: what closed releases say
sides.py, differences.py         then and now: each side, and how they differ
comparison.py                    two sides compared       coverage.py   who was offered the card
printed.py                       from counts to a figure with its interval
labels.py                        what groups are called   batch.py      several figures of one moment
saved.py                         a saved question         csv_table.py  a figure as CSV
"""
