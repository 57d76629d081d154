"""One request as it came: in, what a web server hands over; out, its parsed body and its items. Knows no rule.

inbound.py  plain values, the same for everybody     decode.py   unpacked, its charset known
formats.py  bodies that are no JSON                  body.py     bytes to items, or BodyProblem with a stable code
"""
