"""What HTTP needs in either direction, knowing neither X nor a CRM.

addresses.py         networks, this machine, and what counts as one client
transport.py         calls to others, with a deadline for the whole call
content_encoding.py  request bodies decompressed, within limits
"""
