"""What operators see of the service: in, the database; out, `/metrics` for Prometheus, and the same on one screen.

prometheus.py  everything, as it is scraped           overview.py  the same by account, and what needs a hand
gauges.py      what the ledger says of itself         budgets.py   X's daily limits: used, and left
totals.py      what all processes have counted        families.py  how a figure is written for Prometheus

What one process counts stands in `service/counts.py`. Counts only: never a customer, a text or a score.
"""
