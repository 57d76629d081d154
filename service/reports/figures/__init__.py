"""The figures every surface publishes: in, a reader and a filter; out, frozen dataclasses.

Never writes, never formats.
"""
