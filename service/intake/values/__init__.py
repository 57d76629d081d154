"""Single values as CRMs write them: in, a text or a number; out, ours, or None. Pure; no definition, no request.

times.py  an aware moment in UTC     identity.py   an X id or a handle
languages.py  a tag in its usual form      fields.py   a text that fits its column, else a note why not
"""
