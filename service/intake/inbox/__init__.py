"""What was delivered, stored once: in, verified deliveries and their readings; out, rows, committed before the 2xx.

accept.py   one transaction, deduplicated     group.py   many deliveries in one commit
told.py, ends.py   what they tell; is an end new?      judging.py, late.py, stored.py   their rows
dedupe.py   how a delivery is known again      replay.py, forget.py   later looks at what is stored
"""
