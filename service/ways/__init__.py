"""Ways of asking: what the second message is, and how its answer is recognised. No database, no rule.

A way is one file and one line in the table below. It freezes its text before anything is sent, sends it, says which of
X's limits it uses, and its `recognise` says which request an answer belongs to. Outreach sends through it and results
recognise through it; states, promises and ledger are the same for all.

way.py     what every way is       opening.py  the DM that precedes all of them     listed.py  finding it in the DM list
card.py    X's Customer Feedback card
page.py    a link to our own page    links.py    how the link is made
quick_reply.py  a DM with an option per score    scale.py  its words    catalogue.py  in each language
"""

from collections.abc import Mapping

from service.ways import card, page, quick_reply
from service.ways.way import Way

HANDED_OVER = "handed_over"
"""How a request was asked whose link somebody else sends: no way of ours, nothing is sent and nothing looked up."""

WAYS: Mapping[str, Way] = {way.name: way for way in (card.WAY, quick_reply.WAY, page.WAY)}
"""Every way, by the word that stands in the settings and on the request."""
