"""Our own question page, for every client that shows no card: a link in, score and comment out. No login, no script.

routes.py     GET shows and changes nothing, POST stores    store.py   an answer, through the one door
found.py      the request behind a token                    drawn.py   the page as HTML
question.py   the question and the answers to choose from   sender.py  whose page it is: name, logo, colours
pace.py       how often one address may ask
"""
