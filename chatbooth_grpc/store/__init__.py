"""The stores: where accounts, sessions and mailboxes are kept durably."""
