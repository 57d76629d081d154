"""A restore to a moment under load, as a drill of its own: see deploy/restore/drill."""
