"""dm-feedback: a conversation ended - we asked - they answered - supervisors read.

The story in rooms, in the order in which it happens:

    intake/    a CRM's webhook says that a conversation ended; it is verified, mapped and stored once
    outreach/  may we write? we write, we send the card; never twice, whatever dies
    results/   what the customer answered, from three channels through one door
    reports/   who may see it: API, export, dashboard; never the agent who is rated

What all chapters stand on, each the only writer of its tables:

    requests/  one conversation's row, typed: what may become of it      ways/       how we ask: one file a way
    accounts/  what every worker must know of an X account               customers/  what we keep of a person
    sources/   the same of a CRM's own API, where customers are looked up

Four files reach over chapters: held.py (what we hold of a person), housekeeping.py (retention, erasure; step by step
in retention.py), customer_routes.py (their addresses in the API), staff_names.py (what the CRM calls agents).

The edges: x_api/ is the only place that speaks HTTP to X, crm_api/ to a source's own API, both over calling.py.

The floor knows no chapter:

    settings/  every setting, checked            db/         engines, transactions, is it away?
    models/    every table                       migrations/ the schema's history
    auth/      keys, sessions, the access log    web/        what every route shares
    at_rest/   locked columns                    encrypting/ over to another key while everything runs
    partitions/  time partitions of PostgreSQL   metrics/    /metrics, and the same on one screen; with health.py
    copying/   one database into another         compliance/ papers for buyers, from the settings

    states.py  the states of a request, with their sentences     errors.py   refusals, in one shape
    bulk.py    many rows in one statement        replica.py  reads that may be a little behind
    ids.py     ids, keyed hashes                 packed.py   packed bodies, undone
    counts.py  what a process has counted        traces.py, otel.py   one trace a request
    logs.py    a line an event                   keeping_on.py  what a failure is to a loop
    starting.py  what a start demands            served.py   whom living processes serve
    clock.py, process.py, addresses.py, files.py, words.py, phrases.py   small things, each once

Some know everybody and decide nothing: app.py (the web), worker.py (the loop) with chores.py (what it does beside),
rereading.py (settings, while we run), serving.py (gunicorn, both side by side), cli/ (the command `dm-feedback`).
Between sockets and the web stands listening/: no thread waits for a client. sandbox/ is X in a box, for trying and
testing; nothing imports it but the command line and demo/, which plays the whole story and checks it.
"""

__version__ = "0.1.0"
