"""The server's process: its flags, logs, signals and memory, and the servers in it."""
