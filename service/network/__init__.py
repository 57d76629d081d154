"""What HTTP needs in either direction, knowing neither X nor a CRM.

addresses.py         networks, this machine, and what counts as one client
egress.py            the proxy calls go through, and whose certificates they trust
transport.py         calls to others, with a deadline for the whole call
content_encoding.py  request bodies decompressed, within limits
charset.py           which charset a request body is in
"""
