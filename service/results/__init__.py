"""What they answered: X's news of a card comes in by three channels and goes through one door into one row a request.

x_webhook   X tells us                          ingest     the one door: whose is it, is it new, what stands
poll        we read feedback/events, late       merge      what stands when updates contradict (pure)
refresh     we ask feedback/show, card by card  owner      whose feedback it is
status      what operators see of all this      turns      one worker at a time for a task of an account
forget      what retention and erasure remove

Never writes a feedback_request, never sends anything to a customer, never logs or answers with a customer's words.
"""
