"""What every worker must know of a source's own API, worked out once: a sibling of `accounts`, for CRMs.

desk.py     how a source is asked, handed in by the worker    holds.py    holds, pauses, absences, its calls a minute
waiting.py  whose customers are to be looked up, and by whom  counted.py   how look-ups ended, day by day
sweeps.py   how far a list of ended conversations is read      names_due.py  when its staff is asked for its names

One source's trouble never touches another's. Only this room writes `source_state`, `source_sweep`,
`look_up` and `look_up_count`.
"""
