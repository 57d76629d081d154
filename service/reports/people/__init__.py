"""What agents, teams and questions are called: one look-up for rows, figures, files and pages.

    called.py   a name at a moment: pure            stored.py   the names we were given, and giving them
    sheet.py    names as a CSV file                 telling.py  a changed name is news to whoever keeps our rows
    learnt.py   names that a CRM told

Ids are facts, frozen when a conversation ended; names stand beside them. Never decides who may be named: whoever asks
here has an id that it may show.
"""
