"""Turns the items of a verified request into events of ours: one `Reading` per item, in order. Pure.

readings.py  split, filter, map      one_item.py  what the map finds in one item
who.py       the customer, and who handled the conversation      events.py   the four things an item can say
"""
