"""Attacks on a running server, and an honest client that works at the same time."""
