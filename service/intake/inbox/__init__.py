"""Stores verified deliveries once, with everything that follows from them, in one commit before the 2xx.

accept.py                       within one transaction, deduplicated
group.py                        commits many deliveries at once
dedupe.py                       recognises a repeated delivery
ends.py                         is this end new?
judging.py, late_reopenings.py  what becomes of each item; reopenings that came late
stored.py                       deliveries as rows        records.py  the shapes passed around here
replay.py                       reads stored ones again   forget.py   retention and erasure
"""
