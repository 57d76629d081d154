"""One conversation's row, typed: what it is, what may become of it, and the only code that writes it.

request.py   frozen classes that chapters pass around
rows.py      a row as one of them, and back        outcomes.py  what can happen to it
machine.py   what an outcome makes of it; pure     retry.py     when to try again; pure
writer.py    writes a request and its history      sends.py     intents to send, and their outcome
leases.py    who works on what, and until when     queries.py   finds requests
forget.py    retention and erasure of these rows   seals.py     visible changes, in commit order
first_rows.py  of new requests, for intake         restored.py  a ledger restored from a backup

Chapters decide, this room writes: intake opens a request, outreach walks it, results mark it changed.
"""
