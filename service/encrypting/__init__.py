"""Encryption at rest: which key is in force, and how a database goes over to it while everything runs.

    in_force.py  the keys of the settings against those that values lie under; what each process says of its own
    turning.py   on, over to another key, off: what has to be true before, and what is written down
    walking.py   the rows that are there already, some a commit   rewriting.py  one of them
    checking.py  what lies how; what was changed or moved by somebody else

Columns and ciphers are in `service/at_rest`.
"""
