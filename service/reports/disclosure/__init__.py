"""What may be told: counts in, what may be published out. Knows no HTTP, and of roles only "rows" or "no rows".

naming.py      who may be named in rows, and since when
published.py, conversations.py   figures for those who see no rows: scores; coverage, funnel and response
asked.py       what they may ask                    spans.py     days, weeks, four and twelve weeks that nest
closing.py     closes releases when they are due    store.py     releases as rows
partitions.py  teams, agents, contexts, in order    days.py      an account by day
cohorts.py     how many answered                    work.py      how many conversations a group had
divide.py      divides answers so that no small group follows from all partitions together
pools.py       pools groups that are too small      cuts.py      what a table's margins would give away
frozen.py      what weekly and later releases are made of

In the words of statistical disclosure control: the threshold rule (`min_score_n`) is primary suppression, which `pools`
does by merging cells and not by blanking them; what `cuts` finds in the margins and `divide` merges is complementary
suppression; a leaf is a published cell, a release a table that never changes.
"""
