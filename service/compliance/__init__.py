"""What buyers ask for, from the settings as they are: in, settings; out, papers whose every statement names its source.

`installation.py` reads the settings, `papers/` holds the texts, `parts.py` lists the packages that are installed,
`folder.py` writes them all. A
statement names a setting or a test; what only you can know stands as "to fill in". Holds no secret and no customer.
"""

from service.compliance.folder import write

__all__ = ["write"]
