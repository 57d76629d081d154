"""Settings: one TOML file and the environment become frozen dataclasses, built once and passed as arguments.

sections.py           how the service runs                   asking.py   whom it asks about what
declare.py            how a setting is declared              values.py   kinds of value and their rules
load.py               reads it, with every mistake at once   checks.py   mistakes across sections
secret_references.py  secrets kept elsewhere                 sources.py  a source's own API
reference.py          the list of all settings               advice.py   what works but deserves a thought
secret_advice.py      secrets that are hardly meant

A new setting is one line in sections.py or asking.py.
"""

from service.settings.asking import CARD_TYPES, Account, Campaign, Source, Texts
from service.settings.checks import PLACEHOLDERS
from service.settings.load import X_TOKENS, from_tree, load
from service.settings.reference import reference
from service.settings.sections import (
    Database,
    Mistake,
    Settings,
    SettingsError,
    Web,
)
from service.settings.sources import Api

__all__ = [
    "CARD_TYPES",
    "PLACEHOLDERS",
    "X_TOKENS",
    "Account",
    "Campaign",
    "Database",
    "Mistake",
    "Settings",
    "SettingsError",
    "Source",
    "Texts",
    "Web",
    "from_tree",
    "load",
    "reference",
]
