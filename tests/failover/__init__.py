"""A PostgreSQL cluster that loses its leader while deliveries come: `python -m tests.failover --trouble kill`.

    cluster.py   three nodes under Patroni with etcd, from deploy/failover/patroni.yml
    troubles.py  what happens to it      clustered.py  the same as a database of the chaos run
    load.py      clients that deliver, and what they were answered
    __main__.py  the drill: web and a worker with all three addresses, a trouble, then ledger, answers and X compared

Needs root, Debian's etcd-server and postgresql, and Patroni in /opt/patroni (deploy/failover/drill installs it).
"""
