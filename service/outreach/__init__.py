"""The second chapter: may we write? We write, we send the card - once, whatever dies.

run.py          claims what is due and walks each request as far as it goes   queue.py  claim, record: the leases
ledger.py       the one writer of state and history                           prepare.py what a request needs next
machine.py      pure: outcomes, and what they make of a request               retry.py  pure: the schedule
steps.py        STEPS, the whole life of a request; one X call each           answers.py  X's errors as outcomes
around.py       the facts around a request, in one statement                  gates.py  pure: reasons not to write
campaigns.py    which card and texts, the draws                               budget.py  X's daily limits, by slots
accounts.py     holds and pauses     opt_out.py  people who do not want it    unclear.py what we cannot know, looked up
by_hand.py      operators' retry and cancel                                   forget.py  retention and erasure
"""
