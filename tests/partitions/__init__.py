"""Tests of time partitions on PostgreSQL: converted while everything runs, created ahead, dropped whole."""
