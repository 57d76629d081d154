"""The threat model, tried: each of its lines as an attack on a running service, over HTTP and past it.

place.py     web on gunicorn, a worker, X and a database of its own   attacks.py, inside.py   one attack a line
__main__.py  `python -m tests.trial --database postgresql`: what held and what fell, as a table
"""
