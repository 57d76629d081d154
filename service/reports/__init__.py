"""Who may see it: one filtered select behind every surface, its figures, and what small groups hide.

    filters.py     what is asked             query.py      the one filtered select, page by page
    visible.py     accounts, embargo         attribution.py whose answer a row may say it is
    cells.py       answers counted once      covers.py      periods made of whole releases
    tables.py      small cells hidden        protection.py  what a question may get of them
    suppression.py the rules in the abstract statistics.py  the formulas      definitions.py the same in words
    figures.py     what is published (asking, counts, breakdowns, trends, printed, completeness; its form: shapes.py)
    api.py         the routes (lists, figures_api, downloads, slots, routes, schemas, figure_schemas, cursor, notes)
    export.py      files and their manifest (formats.py: CSV, JSON Lines, XLSX, Parquet)
    dashboard/     the pages, with templates/ and static/        charts.py its pictures

What a row says (attribution.py). A result's row always carries its score, times and kind of card. It names its agent,
team and conversation, and links to the CRM, only if the agent (in that team, for that kind of card) has at least
`min_score_n` scored answers in all the key covers, and no total minus shown would give another one away; the comment
needs `min_comments_n` answers of the agent as well. Nobody can ask for a hidden agent, team or conversation by name:
their rows are left out and the page says so (`withheld`). Rows that were never sent keep their names: there is no
answer to pair them with. Who holds the CRM's own time stamps may still match times; those people can open any
conversation there anyway.
"""
