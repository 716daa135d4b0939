"""Sends that differ only in their ids. They are encoded once, so that they are fast."""

from __future__ import annotations

from chatbooth_grpc.booth.message_ids import new_message_id


class Sends:
    """An encoded send, with a new id each time."""

    def __init__(self, encoded: bytes, message_id: bytes) -> None:
        """`encoded` is a send with the id `message_id`."""
        before, after = encoded.split(message_id)
        self._before, self._between, self._after = before, after + before, after

    def take(self, count: int) -> bytes:
        """Return this number of sends, one after the other, each with a new id."""
        if not count:
            return b""
        return self._before + self._between.join([new_message_id() for _ in range(count)]) + self._after
