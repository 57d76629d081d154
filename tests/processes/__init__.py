"""Real processes: killed, stopped, starved of disk or schema. The building blocks serve tests/chaos too."""
