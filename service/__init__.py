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

Four files reach over chapters: held.py (what we hold of a person), housekeeping.py (retention, erasure),
customer_routes.py (their addresses in the API) and staff_names.py (what the CRM calls agents, for reports).

The floor they stand on knows none of them: settings, states, errors, outages, logs, ids, files, memory, counts,
calling, db, bulk, models, migrations, starting, auth, health, metrics (with gauges, served, totals, budgets), and web/,
what every route shares. `x_api/` is the edge toward X and the only place that speaks HTTP to it, `crm_api/` the edge
toward a source's own API.
`sandbox/` is X in a box, for trying and testing; nothing imports it but the command line and `demo/`, which plays the
whole story and checks it.

Some know everybody and decide nothing: app.py (the web), worker.py (the loop) with chores.py (what it does beside),
rereading.py (settings, while we run), serving.py (gunicorn, both side by side), cli/ (the command `dm-feedback`).
Between sockets and the web stands `listening/`: no thread waits for a client.
"""

__version__ = "0.1.0"
