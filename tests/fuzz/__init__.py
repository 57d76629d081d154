"""Mutated inputs at every place where bytes from outside come in.

`odd.py` makes inputs nearly right, `edges.py` lists what they are given to, `http.py` sends them to every route there
is. `python -m tests.fuzz --inputs 1000000` is the long run; the tests do a short one.
"""
