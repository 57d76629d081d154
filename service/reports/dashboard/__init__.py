"""The supervisors' dashboard: in, plain GET requests with the filter in the URL; out, pages drawn on the server.

    routes.py      which page lives where and who may open it      door.py     sign-in, session, form tokens
    pages.py       what each page asks of `figures` and `query`     pictures.py figures as charts with their tables
    reading.py     comments, one result, its notes                  words.py    how numbers, times and gaps are written
    assets.py      the style sheet, named by its content

Never calculates a figure and never decides what is too small to show: `figures` has done both before a page sees
anything. No page needs a script, and none asks another host for anything.
"""

from service.reports.dashboard.routes import blueprint

__all__ = ["blueprint"]
