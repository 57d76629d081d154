"""What customers answered: several channels report answers, which go through one door into one row per request.

x_webhook.py   X reports a card                      ingest.py   the one door: is it new, what stands
poll.py        we read feedback/events, a day late   merge.py    what stands when reports differ (pure)
refresh.py     we ask feedback/show, card by card    answer.py   one report of an answer
card.py        whose card it is (with owner.py)      bodies.py   what X sends us, limited and unpacked
x_activity.py  X reports direct messages             replies.py  taps, typed numbers, stop
inbox.py       we read the DM list instead           forget.py   retention and erasure
answer_rows.py  the rows of an answer                status.py   what operators see of all this
page/          our own question page

Of a feedback_request this only writes that it changed. Never sends anything to a customer, never logs a customer's
words or repeats them in an answer.
"""
