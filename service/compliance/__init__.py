"""Papers that buyers ask for, written from the settings; every statement names the setting or test behind it.

`installation.py` reads the settings, `papers/` holds the texts, `parts.py` lists packages and licences, `folder.py`
writes them all. What only the reader can know is marked "to fill in". Holds no secret and no customer.
"""

from service.compliance.folder import write

__all__ = ["write"]
