"""Does anything grow that should not? A steady load on real processes for as long as one likes; see `__main__.py`."""
