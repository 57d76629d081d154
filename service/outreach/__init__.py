"""The second chapter: may we write? We write, we ask - once, whatever dies. Decides; `requests` writes.

run.py       claims what is due, keeps calls in flight     claims.py    claim, record: the transactions around a call
prepare.py   what a request needs next, state by state     steps.py     the whole life of a request; one X call each
around.py    the facts around a request, in one statement  gates.py     pure: reasons not to write
campaigns.py which card and texts, the draws               answers.py   X's errors as outcomes
unclear.py   what we cannot know, looked up                by_hand.py   operators' retry, cancel and complete
looking.py   customers looked up in the CRM            confirming.py whether they wrote to us
absence.py   what a list proves that does not show it  evidence.py  a refusal that proves an earlier arrival
thanks.py    one more DM after a tap                   handed_over.py  a link for others to send
rehearsal.py a campaign, tried on oneself              withdrawn.py what has left the settings
clients.py   X, as an account's settings want it       locked.py    account and request, locked together
workplace.py what all of them lean on
"""
