"""Our own question page, for every client that shows no card: a link in, score and comment out. No login, no script.

routes.py        GET shows and changes nothing, POST stores
store.py         an answer, through the one door         token_lookup.py  the request behind a token
rendering.py     the page as HTML                        question.py      the question and the answers to choose from
branding.py      whose page it is: name, logo, colours   rate_limit.py    how often one address may ask
"""
