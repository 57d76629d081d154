"""Tests of the floor: what knows no chapter of the story."""
