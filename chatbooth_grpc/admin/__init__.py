"""The administration of a store, whether a server serves it or not."""
