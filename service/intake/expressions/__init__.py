"""The JMESPath of definitions, made to run within a budget: in, a text; out, something that reads one item.

compiled.py  an expression, or a sentence why it is none     evaluate.py  its tree, step by step, counted
functions.py   JMESPath's own functions and ours
"""
