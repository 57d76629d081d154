"""Figures with their uncertainty, and their definitions in words. Pure."""
