"""How many, when, of whom: the only reader of raw answers.

live.py        counts as the ledger would give them, at the price of the roll-ups
lines.py       what is asked of the counts, and what comes back
from_ledger.py the ledger counted                   tally.py     the roll-ups, changed by what changed
sealing.py     changes numbered, and rolled up      book.py      which roll-ups are in force
facts.py       what figures need of a conversation  recount.py   roll-ups checked, and begun anew
counts.py      lines added up                       periods.py, zones.py   days, weeks, months; local days and hours

In: a question; out: counts. Hides nothing, names nothing.
"""
