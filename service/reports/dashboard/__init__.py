"""The supervisors' dashboard: GET requests with the filter in the URL, pages drawn on the server.

    routes.py            what lives where               door.py              sign-in, session, form tokens
    page_context.py      what every page leans on       question.py          the filter in the address
    this_week.py         the first page                 facets.py            what its bar offers to choose from
    explore.py           any grouping; two periods or groups side by side
    comment_pages.py     the inbox, one answer, notes   comments.py          their rows, worst first, and the search
    operations.py        how asking goes, and why not   account_standing.py  how each account stands
    session_pages.py     sessions, definitions          hindrances.py        what keeps us from asking, on every page
    downloads.py         the same as files              assets.py            the style sheet, named by its content
    timeline_page.py     notes on the time line         resubmitted_form.py  a form that outlives its session
    invalid_filter.py    an invalid filter, with its form filled in again
    sentences.py         figures as sentences           words.py             how numbers are written
    names.py             what a group is called         figure_charts.py     figures as drawings with their tables
    report/              a month on one page, as a file too
    charts.py, line_chart.py, funnel_plot.py, row_charts.py  drawings, made of svg.py

Never calculates a figure and never decides what is too small to show: `figures` has done both. No page needs a script
or loads anything from another host.
"""

from service.reports.dashboard.routes import blueprint

__all__ = ["blueprint"]
