"""Between sockets and the application: a worker class for gunicorn whose threads never wait for a client.

One thread a process reads every connection, all at once (`reader.py`), each with a deadline (`framing.py`,
`chunks.py`: when is a request there as a whole?). Only whole requests are given to threads (`lanes.py`): deliveries to
one that answers many after one commit, the rest to pools that cannot take each other's threads. What a client does not
read waits with the connection, and with a thread of a stream alone (`connection.py`). `answering.py` is the application
at work for one request, `refusals.py` answers what never reaches it. gunicorn parses, starts, watches and stops;
`worker.py` is its class.
"""
