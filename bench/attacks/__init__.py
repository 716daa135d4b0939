"""Attacks on a running server, and the honest client that works meanwhile."""
