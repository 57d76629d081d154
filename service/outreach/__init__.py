"""The second chapter: may we write? We write, we send the card - once, whatever dies.

run.py          claims what is due and walks each request as far as it goes   queue.py  claim, record: the only locking
machine.py      pure: outcomes, and what they make of a request               retry.py  pure: the schedule
steps.py        STEPS, the whole life of a request; one X call each           answers.py  X's errors as outcomes
gates.py        pure: reasons not to write now, or at all                     budget.py  X's daily limits, by slots
campaigns.py    which card and texts, the draws                               unclear.py looking up what we cannot know
accounts.py     holds and pauses     opt_out.py  people who do not want it    by_hand.py operators' retry and cancel
forget.py       retention and erasure of its own rows
"""
