"""The server's process: its flags, logs, signals and memory, and what it serves."""
