"""What a source is: in, a TOML table of ours or of the settings; out, a frozen `Definition`, or every mistake.

load.py    presets and settings, compiled     tables.py   what a definition holds     grammar.py, kinds.py   its TOML
steps.py   the grammar of a look-up           sweep.py    the grammar of a CRM's list     proofs.py  that of `verify`
staff.py   the grammar of a list of agents or teams
reference.py   the grammar in words    nulls.py, advice.py   what can never work, what deserves a thought
recipes.py   CRMs for which there is no preset

It reads no delivery and no database.
"""
