"""Live delivery: listeners as cursors over the store, and the threads that serve them."""
