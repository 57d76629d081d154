"""Encryption at rest: which key is in force, and how a database moves to another one while everything runs.

    in_force.py       which key new values are written under, and which keys each process holds
    key_change.py     turning it on, changing the key, turning it off
    existing_rows.py  moves existing rows to the key, a few per commit   rewriting.py  one of those rows
    checking.py       decrypts every value, and finds those changed or moved by somebody else

Columns and ciphers are in `service/at_rest`.
"""
