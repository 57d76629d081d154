"""What we hold of a person, across all chapters: shown, forgotten when it is due, erased when asked.

    held.py             every row we hold of one person
    housekeeping.py     retention and erasure; each chapter deletes its own rows, in small steps
    customer_routes.py  the same over the API, with opt-outs
    hand_in_routes.py   identities handed in over the API, and links handed out
    register.py         all of these views on one blueprint

The opt-out list outlives erasure: it is how an erased person stays unasked.
"""
