"""Who may see it: the answers and what they add up to. Imports only go down this list.

    api/, dashboard/                         two surfaces over the same figures and rows; neither has rules of its own
    figures/                                 sums of rows, or of whole releases for those who may list none
    rows/                                    one filtered select: lists, exports, changes
    people/                                  what agents and teams are called
    disclosure/                              what may be told to whom: releases, and who may be named
    counting/                                how many, when, of whom: roll-ups that equal the ledger
    statistics/                              figures with their uncertainty, and definitions in words; pure
    filters.py, visible.py, completeness.py  what is asked, what a reader may see, until when data is complete
    report_query.py                          a question as one value: who asks what, when, of which ledger
    query_values.py, formula_injection.py    parameters as text; texts a spreadsheet would compute
    csv_rows.py                              what a spreadsheet saved
    dimensions.py, thresholds.py, roles.py   the groups there are, minimum group sizes, who may read
    timeline.py, days.py                     notes on what happened on a day; where a day begins

What a row tells (disclosure/naming.py). A result's row always has its score, times and kind of card. It names agent,
team and conversation, and links to the CRM, once the agent (or the team, where there is no agent) has `min_score_n`
answers in the account, and shows comments once there are `min_comments_n`. Who is named stays named, and naming moves
`updated_at`. Nobody can filter by somebody who is not named: those rows are left out, and the page says so
(`withheld`). Skipped rows keep their names, because there is no answer to pair them with; those that may still be
answered (a link can be handed over where X refused us, and a failed card may follow an opening with a link) do not, nor
does coverage, and the list of names to choose from does not depend on the period. Releases put nobody in a group of
people whom rows did not name when they were closed: who reads both would subtract one from the other.

What this cannot prevent: someone who knows that only one colleague is unnamed knows whose the other rows are; someone
who read a row before an operator retried it by hand knows whose it is; someone with the CRM's time stamps may match
times; a campaign, source, channel or language of one team alone says which team it was; the team of an event without an
agent is told, if it is named for such answers, until a look-up finds an agent who is not; a `hand_in` key is told a
conversation's request id with its link, and may hand links to whoever answers for somebody until they are named. All of
these people can open the conversations in the CRM anyway.

Under an embargo nothing tells what was answered today, but it can be seen that something was: until tomorrow the row is
in no list by change and not in `/v1/changes`, its `update_count` is 0, and one that had ended `unknown` is `card_sent`.
"""
