"""What agents, teams and questions are called: one look-up for rows, figures, files and pages.

    name_at.py      a name at a moment: pure   stored.py       the names we were given
    names_csv.py    names as a CSV file        rename_rows.py  a changed name changes the rows that show it
    crm_names.py    names that a CRM told

Ids are facts, frozen when a conversation ended; names stand beside them. Never decides who may be named: callers only
ask for ids they may show.
"""
