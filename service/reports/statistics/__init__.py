"""Figures with their uncertainty, and their definitions in words. Pure.

statistics.py  NPS, CSAT, rates, means, with intervals    judging.py   what a difference means
chance.py      what chance alone does               standardising.py   as if both had had the same cases
definitions.py every figure in words                defined.py   what a definition consists of
"""
