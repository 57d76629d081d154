"""One filtered select and what leaves by it: lists, exports, notes.

In: a reader and a filter; out: rows, with whose they are only where that may be said.
"""
