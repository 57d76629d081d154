"""Who reads: in, a key or a session cookie; out, a Reader with a role and the accounts it may see.

    keys.py      keys, shown once and stored as digests    sessions.py  the dashboard's server-side sessions
    guard.py     what a route demands, and the rate limit  attempts.py  wrong keys, counted by address
    feeds.py     addresses with a secret, for one question each
    access.py    the log of who read or changed what       chain.py     its lines, tamper-evident

An agent has no role here: agents are data, never users.
"""

from service.auth.access import came_from, log_access
from service.auth.guard import Guard, declares
from service.auth.keys import ROLES, Reader

__all__ = ["ROLES", "Guard", "Reader", "came_from", "declares", "log_access"]
