"""Settings: in, one TOML file and the environment; out, frozen dataclasses, built once and passed on as arguments.

shapes.py     what the rest of the service sees        sections.py   the grammar of the file
load.py       reading it, with every mistake at once   checks.py     mistakes and advice across sections
reference.py  the list of all settings
"""

from service.settings.checks import PLACEHOLDERS, placeholders
from service.settings.load import from_tree, load
from service.settings.reference import SettingDoc, reference
from service.settings.shapes import (
    Account,
    Campaign,
    Database,
    Privacy,
    Problem,
    Reports,
    Service,
    Settings,
    SettingsError,
    Source,
    Texts,
    Web,
    Worker,
)

__all__ = [
    "PLACEHOLDERS",
    "Account",
    "Campaign",
    "Database",
    "Privacy",
    "Problem",
    "Reports",
    "Service",
    "SettingDoc",
    "Settings",
    "SettingsError",
    "Source",
    "Texts",
    "Web",
    "Worker",
    "from_tree",
    "load",
    "placeholders",
    "reference",
]
