"""May we write? Then the Direct Message and the question, once, whatever dies. Decides; `requests` writes.

run.py            keeps calls to X in flight           claims.py        claim, record: the transactions around a call
prepare.py        what a request needs next            steps.py         the one X call each state needs
request_facts.py  the facts around a request           gates.py         reasons not to write; pure
campaigns.py      which card and texts, the random draws
answers.py        X's errors as outcomes               unclear.py       looks up sends with unknown outcome
absence.py        does absence from a list prove anything?
evidence.py       a refusal that proves an earlier arrival
crm_lookups.py    looks customers up in the CRM        handle_check.py  have they written to us before?
by_hand.py        an operator's retry and cancel       thanks.py        one more DM after a tap
handed_over.py    a link for others to send            rehearsal.py     tries a campaign on yourself
removed_names.py  names that left the settings         clients.py       an X client for an account
turns.py          whose turn it is to write            context.py       what all of them lean on
row_locks.py      locks account and request together
"""
