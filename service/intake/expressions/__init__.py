"""The JMESPath of definitions, evaluated within a budget: a text becomes something that reads one item.

compiled.py  an expression, or what is wrong with it     evaluate.py  evaluates its tree and counts the cost
functions.py   JMESPath's own functions and ours
"""
