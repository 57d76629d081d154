"""Calls to a source's own API, as its definition says: in, an address and a path; out, JSON, or why not.

address.py    where a host really is, and whether we may go there     get.py        one call, bounded in every way
sign_in.py    token, Basic, header, OAuth 2.0 client credentials      path.py       templates, filled and encoded
wait.py       when to come again                                      client.py     one source's API
looked.py     what a look-up brought

Knows no rule and no database. Nothing of what an API answers is logged or kept here.
"""
