"""How many, when, of whom: the only reader of raw answers. Hides nothing and names nobody.

live.py        counts that equal the ledger, at the price of the roll-ups
lines.py       the question and the answer's shape
from_ledger.py counts straight from the ledger      tally.py     the roll-ups, updated with each change
sealing.py     numbers changes and rolls them up    book.py      which roll-ups are in force
facts.py       what figures need of a conversation  recount.py   checks roll-ups, and rebuilds them
counts.py      adds lines up                        periods.py, zones.py   days, weeks, months; local days and hours
"""
