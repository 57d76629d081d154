"""How many, when, of whom: the only reader of raw answers.

In: a question; out: counts. Hides nothing, names nothing.
"""
