"""What this process says of itself: logs, counters, traces. `metrics/` adds them up and shows them.

logs.py      one line per event, never a text or a secret
counters.py  what was counted in this process
traces.py    spans of what was done for a request
"""
