"""Mutation testing: one small wrong change after another, and whether a test notices; see `__main__.py`.

mutmut and cosmic-ray were weighed: both would be pins, mutmut 3 rewrites functions into trampolines, which frozen
dataclasses and tables built at import do not survive, and cosmic-ray starts a process and a session file per change.
"""
