"""One request as it came: what a web server hands over becomes a parsed body and its items. Knows no rule.

inbound.py  a request as plain values                decode.py   decompresses it and finds its charset
formats.py  bodies other than JSON                   body.py     bytes to items, or BodyProblem with a stable code
"""
