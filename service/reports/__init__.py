"""Who may see it: one filtered select behind every surface, its figures, and what small groups hide.

    filters.py     what is asked             query.py      the one filtered select, page by page
    visible.py     accounts, embargo         naming.py    who may be named on a row
    cells.py       answers counted once      covers.py      periods made of whole releases
    tables.py      small cells hidden        protection.py  what a question may get of them
    suppression.py the rules in the abstract statistics.py  the formulas      definitions.py the same in words
    figures.py     what is published (asking, counts, breakdowns, trends, printed, completeness; its form: shapes.py)
    api.py         the routes (lists, figures_api, downloads, slots, routes, schemas, figure_schemas, cursor, notes)
    export.py      files and their manifest (formats.py: CSV, JSON Lines, XLSX, Parquet)
    dashboard/     the pages, with templates/ and static/        charts.py its pictures

What a row says (disclosure/naming.py). A result's row always carries its score, times and kind of card. It names its
agent, team and conversation, and links to the CRM, once the agent (the team where there is no agent) has `min_score_n`
answers in the account, and shows comments once there are `min_comments_n`. Who is named stays named, and naming moves
`updated_at`. Nobody can ask for somebody who is not named: those rows are left out and the page says so (`withheld`).
Rows that were never sent keep their names: there is no answer to pair them with. Who knows that one colleague alone is
not named knows whose the other rows are, and who holds the CRM's own time stamps may match times; those people can open
any conversation there anyway.
"""
