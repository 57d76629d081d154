"""Never lost, never twice: real processes, killed at random, against an X that fails in every way it can.

    python -m tests.chaos --database postgresql --workers 4 --conversations 20000 --kills 200 --seed 1

plan.py      from the seed: who ends which conversation, when, and what is killed when
senders.py   the CRMs: sign, deliver, repeat until 2xx, deliver twice; they keep their own record of every 2xx
fleet.py     web, workers and their restarts          monkey.py   SIGKILL, SIGSTOP, and the database taken away
weather.py   what X does wrong, changing every few seconds
mirrors.py   copies by /v1/changes and by dlt, row for row
living.py    erasures, retention, thresholds under load     afterlife.py  erasures and retention, at the end
recovery.py  how long each kill cost                  view.py     progress while it runs, figures at the end
verdict.py   the three records against each other: the senders' 2xx, the ledger, the truth of X
run.py       all of it, once

The seed repeats the plan, not the scheduler of the machine: the same seed kills the same things at the same moments.
"""
