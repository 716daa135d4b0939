"""Replies that a connection's thread holds for a moment, so that one write sends many."""

from __future__ import annotations

import time

from chatbooth_grpc.wire.server.frame_writer import FrameWriter

_MOST_HELD = 256 << 10
"""How many bytes are held at most."""

_LONGEST_HELD = 0.01
"""How long a reply is held at most, in seconds. Replies wait for each other, but not for slow work that follows."""


class HeldReplies:
    """The frames that wait. Only the connection's own thread uses them."""

    __slots__ = ("_frames", "_since", "_size", "_writer")

    def __init__(self, writer: FrameWriter) -> None:
        self._writer = writer
        self._frames: list[bytes] = []
        self._size = 0
        # When the first of the frames came, in monotonic seconds.
        self._since = 0.0

    def add(self, frame: bytes) -> None:
        """Hold a frame back, unless too much is held already, or for too long. Raises OSError."""
        now = time.monotonic()
        if not self._frames:
            self._since = now
        self._frames.append(frame)
        self._size += len(frame)
        if self._size >= _MOST_HELD or now - self._since >= _LONGEST_HELD:
            self.flush()

    def flush(self) -> None:
        """Write all held frames in one write. Raises OSError."""
        if self._frames:
            together = b"".join(self._frames)
            self._frames, self._size = [], 0
            self._writer.put(together)
