"""chatbooth: a self-hosted chat service that never loses and never repeats a message."""

__version__ = "0.1.0"
