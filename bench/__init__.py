"""Benchmarks and long-running checks; nothing here is part of what runs."""
