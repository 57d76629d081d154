"""Clocks that jump and disks that fill, under web and worker at work, and nobody who helps; see `__main__.py`."""
