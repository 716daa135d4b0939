"""The same figures with more and more messages, accounts and listeners, and memory while many messages pass."""
