"""Who may see it: one filtered select behind every surface, its figures, and what small groups hide."""
