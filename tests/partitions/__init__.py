"""Time partitions on PostgreSQL: turned over while everything runs, made ahead, dropped whole."""
