"""One conversation's row: what every chapter may write of it, in one place.

changes.py   what a reader can see has changed: said in the same commit, numbered after it
"""
