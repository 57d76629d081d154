"""Clocks that jump and disks that fill while web and worker run, without anybody helping; see `__main__.py`."""
