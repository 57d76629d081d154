"""Encryption at rest, below the tables: keys that bind a value to its place, and column types that use them.

    keyring.py     keys from the settings; encrypts a value for one row of one column
    columns.py     column types that encrypt when written and decrypt when read
    ids.py         ids, encrypted so that equal ones can still be found    digests.py  digests under a key of our own
    unreadable.py  stands in for a value that could not be decrypted

Choosing the key, and moving a database over to another one, is the business of `service/encrypting`.
"""
