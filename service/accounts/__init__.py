"""What every worker must know of an X account, kept in the database so that any number of workers share it.

standing.py              may it send now? and its lock
holds.py                 holds until a person acts, pauses that end
slots.py                 X's daily limits, as slots of sends
windows.py               X's limits per endpoint and window    task_leases.py   one worker at a time for a task
list_lease.py            one reader of the DM list at a time   dm_list.py       X's DM list, and what it proves
list_following.py        following that list without gaps      x_outage.py      is X answering at all?
unexplained_refusals.py  unexplained refusals, counted         refused_ways.py  ways of asking that X refuses us
volume.py                how many conversations a day to expect
tokens.py                OAuth 2.0 tokens, renewed once for all
app_share.py             limits shared by accounts of one app
moving.py                accounts on their way to another database

One account's trouble never touches another's. Only this room writes `account_state`, `allowance` and `account_task`.
"""
