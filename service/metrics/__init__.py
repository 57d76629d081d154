"""What operators see of the service. Counts only: never a customer, a text or a score.

    prometheus.py  /metrics                             overview.py  the same on one screen
    gauge.py       what a figure of the ledger is       source_gauges.py  figures of sources' APIs
    gauges.py      figures read from the ledger         budgets.py   X's daily limits: used, and left
    totals.py      counters of all processes together   attention.py  what needs attention, in sentences
    health.py      /healthz and /readyz                 otel.py      traces for an OpenTelemetry collector
    served.py      the same, of accounts and sources in use

What a single process counts is in `service/telemetry/counters.py`.
"""
