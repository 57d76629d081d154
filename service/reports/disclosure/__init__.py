"""What may be said: in, counts; out, those that may be published. Pure of HTTP; knows no role but rows or none.

naming.py      who may be named in rows, since when
published.py, conversations.py   the figures of who sees no rows: scores; coverage, funnel and response
asked.py       what they may ask, and what cannot be asked at all
closing.py     releases closed when they are due    store.py     releases as rows
days.py        an account by day                    partitions.py  teams, agents, contexts, one after the other
cohorts.py     how many answered                    work.py      what groups were given to do
divide.py      answers divided so that none follows from all partitions together
pools.py, cuts.py   groups with enough answers; tables of which only the margins are told
frozen.py      what weekly releases are made of     spans.py     days, weeks, four and twelve weeks that nest
"""
