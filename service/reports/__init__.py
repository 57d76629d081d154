"""Who may see it: the answers and what they add up to, in rooms; imports go down this list.

    api/  dashboard/   two surfaces over the same figures and rows; never a rule of their own
    figures/           who sees rows is told what these add up to, who sees none whole releases
    rows/              one filtered select: lists, exports, changes
    disclosure/        what may be said to whom: releases, and who may be named
    counting/          how many, when, of whom: roll-ups that are exactly what the ledger says
    statistics/        figures with their uncertainty, and definitions in words; pure
    filters.py, visible.py, completeness.py     what is asked, whose eyes, until when it is all here
    written.py, formulas.py                     how a moment, a number, a word is written, and what no cell computes
    dimensions.py, thresholds.py, roles.py      what groups there are, from how many on, who reads
    timeline.py, days.py                        what happened on a day, and where a day begins

What a row says (disclosure/naming.py). A result's row always carries its score, times and kind of card. It names its
agent, team and conversation, and links to the CRM, once the agent (the team where there is no agent) has `min_score_n`
answers in the account, and shows comments once there are `min_comments_n`. Who is named stays named, and naming moves
`updated_at`. Nobody can ask for somebody who is not named: those rows are left out and the page says so (`withheld`).
Rows that ended without being asked about keep their names: there is no answer to pair them with; what still may be
asked about (a link may be handed over where X kept us from writing) does not say them, nor does coverage, nor do the
names one can choose from follow the period. Who knows that one colleague alone is not named knows whose the other rows
are, who read a row before an operator took it up again by hand knows whose it is, and who holds the CRM's own time
stamps may match times; those people can open any conversation there anyway.
"""
