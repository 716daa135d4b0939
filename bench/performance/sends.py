"""Sends that differ in nothing but their ids: encoded once, and repeated as fast as ids can be made."""

from __future__ import annotations

from chatbooth_grpc.booth.message_ids import new_message_id


class Sends:
    """What `encode` makes of one id, for as many ids as are asked for."""

    def __init__(self, encoded: bytes, message_id: bytes) -> None:
        """`encoded`: a send with that id."""
        before, behind = encoded.split(message_id)
        self._before, self._between, self._behind = before, behind + before, behind

    def take(self, count: int) -> bytes:
        """Return this number of sends, one after the other, each with a new id."""
        if not count:
            return b""
        return self._before + self._between.join([new_message_id() for _ in range(count)]) + self._behind
