"""The HTTP API over figures and rows: routes, schemas, downloads. No rules of its own.

routes.py      what every view shares               register.py    all of them, on one blueprint under /v1
figures.py     figures, with an ETag                lists.py       results, requests, notes, the access log
changes.py     what changed, for mirrors            downloads.py   CSV, JSON Lines, XLSX, Parquet; the manifest
feeds.py       saved questions with an address      people.py      names of agents and teams
marks.py       done with an answer, and whose it is timeline.py    notes on the time line
schemas.py, figure_schemas.py, row_schemas.py       the wire format of questions and answers
"""
