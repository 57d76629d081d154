"""A restore to a point in time under load, as a drill of its own: see deploy/restore/drill."""
