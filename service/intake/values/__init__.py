"""Single values as CRMs write them, turned into ours, or None. Pure; knows no definition and no request.

times.py  an aware moment in UTC           identity.py   an X id or a handle
languages.py  a normalised language tag    fields.py   a text that fits its column, or a note why not
"""
