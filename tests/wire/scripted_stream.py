"""A byte stream without a network. The test says which bytes it takes and receives."""

from __future__ import annotations

import queue
import socket
from collections import deque

from chatbooth_grpc.wire.streams.byte_stream import MOST, Buffer


class ScriptedStream:
    """A ByteStream. Each of `takes` is how many bytes one call of a sending method takes, or the error it raises.

    A 0 means that nothing could be taken. Once all are used up, every byte is taken. The descriptor is readable as
    long as something has arrived, and always writable.
    """

    is_ready = True

    def __init__(self, *takes: int | OSError) -> None:
        self.sent = bytearray()
        # The bytes that each call was asked to send.
        self.offered: list[bytes] = []
        # The other methods that were called, in order.
        self.calls: list[str] = []
        # As long as this is true, no byte is taken.
        self.is_full = False
        self._takes = deque(takes)
        self._timeout: float | None = None
        self._arrived: queue.SimpleQueue[bytes | OSError | None] = queue.SimpleQueue()
        self._near, self._far = socket.socketpair()

    def arrive(self, *items: bytes | OSError | None) -> None:
        """Let calls that receive return or raise these. None: bytes came, but none of them is readable yet."""
        for item in items:
            # The item comes last: a stream whose end has arrived may be closed at once.
            self._far.send(b"x")
            self._arrived.put(item)

    def shake_hands(self) -> None:
        pass

    def fileno(self) -> int:
        return self._near.fileno()

    def set_timeout(self, seconds: float | None, /) -> None:
        self._timeout = seconds

    def receive(self, size: int, /) -> bytes:
        while True:
            try:
                item = self._arrived.get(timeout=self._timeout)
            except queue.Empty:
                raise TimeoutError from None
            data = self._received(item)
            if data is not None:
                return data

    def receive_now(self, size: int, /) -> bytes | None:
        try:
            return self._received(self._arrived.get_nowait())
        except queue.Empty:
            return None

    def receive_quickly(self, buffer: Buffer, /) -> bytes | None:
        return self.receive_now(len(buffer))

    def send_now(self, data: bytes | memoryview, /) -> int:
        self.offered.append(bytes(data))
        if self.is_full:
            return 0
        take = self._takes.popleft() if self._takes else len(data)
        if isinstance(take, OSError):
            raise take
        self.sent += data[:take]
        return min(take, len(data))

    def send_quickly(self, data: bytes, /) -> int:
        return self.send_now(data[:MOST])

    def end(self) -> None:
        self.calls.append(f"end after {len(self.sent)}")

    def stop_receiving(self) -> None:
        self.calls.append("stop receiving")
        self.arrive(b"")

    def cut_off(self) -> None:
        self.calls.append("cut off")
        self._takes, self.is_full = deque([BrokenPipeError()] * 1_000), False
        if self._far.fileno() != -1:
            self.arrive(b"")

    def close(self) -> None:
        self.calls.append("close")
        self._near.close()
        self._far.close()

    def _received(self, item: bytes | OSError | None) -> bytes | None:
        # After its end, a stream always returns the end.
        if item == b"":
            self._arrived.put(item)
            return item
        self._near.recv(1)
        if isinstance(item, OSError):
            raise item
        return item
