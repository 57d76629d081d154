"""The floor: what knows no chapter of the story."""
