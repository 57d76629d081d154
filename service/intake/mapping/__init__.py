"""Items to events of ours: in, a definition and a verified request; out, one `Reading` an item, in order. Pure.

readings.py  the walk     one_item.py  what the map finds in one item     who.py  the customer, and who handled it
events.py    the four things that a delivery can say
"""
