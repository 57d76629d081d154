"""What every worker must know of a source's own API, kept in the database: what `accounts` is for X, for CRMs.

lookup_desk.py  how a source is asked                              holds.py        holds, pauses, calls per minute
waiting.py      whose customers are to be looked up, and by whom   call_counts.py  how look-ups ended, per day
sweeps.py       how far a list of conversations is read            names_due.py    when to ask for staff names again

One source's trouble never touches another's. Only this room writes `source_state`, `source_sweep`, `look_up` and
`look_up_count`.
"""
