"""Benchmarks and long-running checks. The package does not need them to run."""
