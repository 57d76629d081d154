"""dm-feedback: a conversation ended - we asked - they answered - supervisors read.

The story, one room per chapter. Chapters never import each other; they hand over through rows in the database:

    intake/    a CRM's webhook says that a conversation ended: verified, mapped, stored once
    outreach/  may we write? then the Direct Message and the question, never twice, whatever dies
    results/   what the customer answered, through several channels and one door
    reports/   who may see it: API, exports, dashboard; never the agent who is rated

What all chapters stand on, each the only writer of its tables:

    requests/  one row per conversation, and what may become of it
    accounts/  what every worker must know of an X account: limits, holds, turns
    sources/   the same for a CRM's own API
    customers/ what we keep of a person: opted out, identities, contacts
    ways/      the ways of asking, one file each

The edges: x_api/ is the only room that speaks HTTP to X, crm_api/ the only one to a CRM, both over network/.

The floor, which knows no chapter:

    settings/    every setting, checked              db/          engines, transactions, outages
    models/      every table                         migrations/  the schema's history
    auth/        keys, sessions, the access log      web/         what all routes share
    at_rest/     encrypted columns                   encrypting/  changing the key while everything runs
    partitions/  time partitions in PostgreSQL       metrics/     metrics, health, traces
    network/     addresses, calls, compressed bodies telemetry/   logs, counters, traces of this process
    copying/     one database into another           compliance/  a buyer's papers, written from the settings

    states.py    states of a request                 errors.py    every refusal, in one shape
    bulk.py      many rows in one statement          replica.py   reads that may lag a little
    startup.py   checks before a process starts      loops.py     loops that survive failures
    ids.py       ids and keyed hashes                text.py      texts of others compared, and shown harmlessly
    clock.py     the time                            language_tags.py   languages and their codes
    process.py   name, signals, memory               humanize.py  numbers and spans as people say them

What runs it, and knows everybody: app.py (the web application), worker/ (the loop), serving.py (gunicorn),
side_by_side.py (both under one parent), listening/ (sockets: no thread waits for a slow client), reload.py (new
settings without a restart), privacy/ (retention, erasure, what we hold of a person), cli/ (the command `dm-feedback`).

sandbox/ is a stand-in for X to try and test against. Only the command line and demo/, which plays the whole story and
checks it, import it.
"""

__version__ = "0.1.0"
