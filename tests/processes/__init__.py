"""Real processes: killed, stopped, without disk or schema. tests/chaos uses the same building blocks."""
