"""Peers for comparison in the same run: the same server without any work, and what a team would write in a day."""
