"""What customers answered: several channels report answers, which go through one door into one row per request.

x_webhook   X reports a card                       ingest     the one door: is it new, what stands
poll        we read feedback/events, a day late    merge      what stands when reports differ (pure)
refresh     we ask feedback/show, card by card     kept       the rows of an answer, read and written
card        whose card it is (with owner)          answer     one report of an answer
x_activity  X reports direct messages              replies    taps, typed numbers, stop
inbox       we read the DM list instead            bodies     what X sends us, limited and unpacked
status      what operators see of all this         forget     retention and erasure
page        our own question page

Of a feedback_request this only writes that it changed. Never sends anything to a customer, never logs a customer's
words or repeats them in an answer.
"""
