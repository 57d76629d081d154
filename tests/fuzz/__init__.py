"""Whatever is thrown at it, by machines: mutated inputs at every edge where strangers' bytes come in.

`odd.py` makes inputs nearly right, `edges.py` is the table of what they are thrown at, `http.py` throws them at every
route there is. `python -m tests.fuzz --inputs 1000000` is the long run; the tests do a short one.
"""
