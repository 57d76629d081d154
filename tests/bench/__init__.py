"""Benchmarks: timings live here and never in tests. `python -m tests.bench --help`."""
