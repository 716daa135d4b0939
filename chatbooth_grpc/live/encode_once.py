"""Encoding what many streams of a mailbox are sent only once."""

from __future__ import annotations

from collections.abc import Callable

from chatbooth_grpc.booth.model import Event, MessageBatch


class EncodeOnce:
    """An encoder that remembers the newest batch: those of the store's tail are the same object for every listener."""

    def __init__(self, encode: Callable[[Event], bytes]) -> None:
        self._encode = encode
        self._newest: tuple[object, bytes] = (None, b"")  # replaced as one, since pumps come at the same time

    def __call__(self, event: Event) -> bytes:
        """Return the event's encoding."""
        if not isinstance(event, MessageBatch):
            return self._encode(event)
        messages, encoded = self._newest
        if event.messages is not messages:
            encoded = self._encode(event)
            if isinstance(event.messages, tuple):  # what may change is not remembered
                self._newest = (event.messages, encoded)
        return encoded
