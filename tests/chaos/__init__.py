"""Real processes, killed at random, against an X that fails in every way it can: nothing lost, nobody written to twice.

    python -m tests.chaos --database postgresql --workers 4 --conversations 20000 --kills 200 --seed 1

plan.py      from the seed: who ends which conversation, when, and what is killed when
senders.py   the CRMs: sign, deliver, repeat until 2xx, deliver twice; they keep their own record of every 2xx
fleet.py     web, workers and their restarts          monkey.py   SIGKILL, SIGSTOP, and database outages
weather.py   X's faults, changing every few seconds
mirrors.py   copies by /v1/changes and by dlt, row for row
living.py    erasures, retention, thresholds under load     afterlife.py  erasures and retention at the end
recovery.py  how long each kill cost                  view.py     progress while it runs, figures at the end
verdict.py   compares three records: the senders' 2xx, the ledger, X's truth
run.py       one complete run

The seed determines the plan, not the machine's scheduler: the same seed kills the same things at the same moments.
"""
