"""The worker: everything that happens without anybody calling us. Holds no rule; the chapters do.

    loop.py            start, send what is due, stop in time
    readers.py         a thread per X account and per CRM, for what is slow to read
    account_reader.py  what one X account says
    chores.py          sealing, housekeeping, retention, rewriting, signs of life, a thread each
    staff_names.py     the names of agents and teams, read from the CRM

Any number of workers may run at once, on any number of machines.
"""
