"""The report: a month, a week or a quarter on one page, for those who read no dashboard.

    spans.py  which days, and which before them   content.py  what is on it: figures, teams, comments
    paper.py  the file: HTML or PDF               html.py     the page itself, the same on screen and in a file
    page.py   /dashboard/report

Every number comes from `figures`, all of one moment; nothing is calculated here.
"""
