"""The supervisors' dashboard: in, plain GET requests with the filter in the URL; out, pages drawn on the server.

    routes.py         what lives where              door.py       sign-in, session, form tokens
    place.py          what every page stands on     question.py   the filter in the address, and its bar
    this_week.py      the first page                explore.py    any grouping, two periods or groups side by side
    comment_pages.py  the inbox, one answer, notes  comments.py   their rows, worst first, and the search
    operations.py     how asking goes, and why not  standing.py   how an account stands
    session_pages.py  sessions, definitions         hindrances.py what keeps us from asking, on every page
    downloads.py      the same as files             assets.py     the style sheet, named by its content
    timeline_page.py  what happened on a day        unsent.py     a form that outlives its session
    asked_again.py    a question that cannot be asked, with its form filled again
    sentences.py      figures as sentences          words.py      how numbers are written
    names.py          what a group is called        pictures.py   figures as drawings with their tables
    report/           a month on one page, as a file too
    charts.py, lines.py, funnel_plot.py, strips.py  drawings, made of svg.py

Never calculates a figure and never decides what is too small to show: `figures` has done both before a page sees
anything. No page needs a script, and none asks another host for anything.
"""

from service.reports.dashboard.routes import blueprint

__all__ = ["blueprint"]
