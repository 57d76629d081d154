"""The CRM's own API, asked as a definition says: who a customer is on X, which conversations ended without a webhook.

lookup.py, lookup_told.py   a customer looked up; the same in words     desks.py  the look-ups that a worker hands on
listed.py, sweeping.py      its list of conversations, page by page, into the inbox
staff_list.py               its lists of agents and teams, page by page
"""
