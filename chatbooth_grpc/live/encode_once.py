"""Encodes a batch of messages once, though many streams of a mailbox send it."""

from __future__ import annotations

from collections.abc import Callable

from chatbooth_grpc.booth.model import Event, MessageBatch


class EncodeOnce:
    """An encoder that caches the encoding of the newest batch.

    Listeners that read the messages of one commit from the store's cache get the same tuple.
    """

    def __init__(self, encode: Callable[[Event], bytes]) -> None:
        self._encode = encode
        # Several pumps may use it at once, so both values are replaced in one assignment.
        self._newest: tuple[object, bytes] = (None, b"")

    def __call__(self, event: Event) -> bytes:
        """Return the event's encoding."""
        if not isinstance(event, MessageBatch):
            return self._encode(event)
        messages, encoded = self._newest
        if event.messages is not messages:
            encoded = self._encode(event)
            # A list may change later, so only a tuple is cached.
            if isinstance(event.messages, tuple):
                self._newest = (event.messages, encoded)
        return encoded
