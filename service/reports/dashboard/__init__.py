"""The supervisors' dashboard: in, plain GET requests with the filter in the URL; out, pages drawn on the server.

    routes.py         what lives where              door.py       sign-in, session, form tokens
    place.py          what every page stands on     question.py   the filter in the address, and its bar
    figure_pages.py   overview, breakdown, coverage, completeness
    comment_pages.py  comments, one result, notes   comments.py   their rows, the newest first, and the search
    standing_pages.py accounts, definitions         standing.py   how an account stands
    downloads.py      the same as files             pictures.py   figures as charts with their tables
    words.py          how numbers are written       assets.py     the style sheet, named by its content

Never calculates a figure and never decides what is too small to show: `figures` has done both before a page sees
anything. No page needs a script, and none asks another host for anything.
"""

from service.reports.dashboard.routes import blueprint

__all__ = ["blueprint"]
