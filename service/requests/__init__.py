"""One conversation's row, typed: what it is, what may become of it, and the only hands that write it.

request.py   frozen classes, what chapters pass around   rows.py      a row as one of them, and back
outcomes.py  what a step or a person may say of it       machine.py   pure: an outcome, and what becomes of it
retry.py     pure: when to try again                     writer.py    the one writer of a request and its history
sends.py     intents to send, and what became of them    leases.py    who works on what, and until when
reading.py   finding requests                            forget.py    retention and erasure of these rows
seals.py     visible changes, numbered in commit order   opening.py  the first row, for intake
restored.py  a ledger that was put back from a backup

The chapters decide, this room writes: intake opens a request, outreach walks it, results touch it.
"""
