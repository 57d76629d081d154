"""Who is reading: a key or a session cookie becomes a Reader with a role and the accounts it may see.

    keys.py      keys, shown once, stored as digests       sessions.py  the dashboard's server-side sessions
    guard.py     what a route demands, and the rate limit  attempts.py  wrong keys, counted by address
    feeds.py     secret addresses that answer one question each
    access.py    the log of who read or changed what       chain.py     what makes that log tamper-evident

There is no role for agents: agents are data, never users.
"""

from service.auth.access import came_from, log_access
from service.auth.guard import Guard, declares
from service.auth.keys import ROLES, Reader

__all__ = ["ROLES", "Guard", "Reader", "came_from", "declares", "log_access"]
