"""Calls to a source's own API, as its definition says. Returns JSON, or the reason why not.

address.py    where a host really is, and whether we may go there     get.py        one call, limited in every way
sign_in.py    token, Basic, header, OAuth 2.0 client credentials      path.py       path templates, filled and encoded
wait.py       how long a CRM tells us to wait                         client.py     one source's API
look_up_result.py   what a look-up found

Knows no rule and no database, and neither logs nor keeps what an API answers.
"""
