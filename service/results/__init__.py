"""What they answered: news of an answer come in by several channels and go through one door into one row a request.

x_webhook   X tells us of a card                ingest     the one door: is it new, what stands
poll        we read feedback/events, late       merge      what stands when tellings contradict (pure)
refresh     we ask feedback/show, card by card  kept       the rows of an answer, read and written
card        whose card it is (with owner)       answer     an answer, by request and way
x_activity  X tells us of messages              replies    taps, typed numbers, stop
inbox       we read the DM list for them        bodies     what X sends us, bounded and unpacked
status      what operators see of all this      forget     what retention and erasure remove
page        our own question page

Of a feedback_request it says only that it changed. Never sends anything to a customer, never logs or answers with a
customer's words.
"""
