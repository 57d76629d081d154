"""What every worker must know of an X account, worked out once: one account's trouble never touches another's.

standing.py  how an account stands, and its lock      holds.py    holds until a person acts, pauses that end
strange.py   refusals nobody can explain, counted
slots.py     X's daily limits, as slots of sends      windows.py  X's limits of an endpoint in a window
turns.py     one worker at a time for a task          looks.py    one look at a time into the DM list
away.py      whether X answers at all               volume.py   how many conversations a day to expect
dm_list.py   X's DM list, read back to a moment        read_on.py  read on by who follows it
moving.py    whose ledger is in another database, or on its way here
barred.py    ways of asking that X does not open     dm_list.py  X's DM list, and what it proves
tokens.py    OAuth 2.0: renewed by one for all       app_share.py  what accounts of one app share

Any number of workers share these rows. The chapters ask and tell; only this room writes `account_state`, `allowance`
and `account_task`.
"""
