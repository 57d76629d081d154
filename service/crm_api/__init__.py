"""GETs to a source's own API, as its definition says: in, an address and a path; out, JSON, or why not.

address.py    where a host really is, and whether we may go there     get.py      one GET, bounded in every way
sign_in.py    token, Basic, header, OAuth 2.0 client credentials      path.py     templates, percent-encoded
lookup.py     up to three of them, one after the other

Knows no rule and no database. Nothing of what an API answers is logged or kept here.
"""
