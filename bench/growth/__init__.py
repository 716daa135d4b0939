"""The same figures while messages, accounts and listeners grow, and the memory."""
