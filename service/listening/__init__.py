"""Between sockets and the application: a gunicorn worker class whose threads never wait for a slow client.

One thread per process reads all connections (`reader.py`), each with a deadline, until a request is complete
(`framing.py`, `chunks.py`). Only complete requests go to threads (`lanes.py`): deliveries to one that answers many
after a single commit, the rest to pools that cannot take each other's threads. Output a slow client does not take waits
with its connection; only a stream keeps its thread (`connection.py`). `answering.py` runs the application for one
request, `refusals.py` answers what never reaches it. gunicorn parses, starts, watches and stops; `worker.py` is its
class.
"""
