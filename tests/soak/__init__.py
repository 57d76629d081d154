"""A steady load on real processes for as long as one likes: does anything grow that should not? See `__main__.py`."""
