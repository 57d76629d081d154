"""Asks a CRM's own API, as a definition says: who a customer is on X, and which conversations ended without a webhook.

lookup.py, lookup_words.py         looks a customer up; tells the look-up in words
desks.py                           all look-ups, for the worker
list_page.py                       reads one page of any list
conversation_list.py, sweeping.py  reads the list of conversations page by page into the inbox
staff_list.py                      reads the lists of agents and teams page by page
"""
