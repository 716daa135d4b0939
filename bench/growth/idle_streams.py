"""Idle live streams, held open by a process that only answers the server's pings."""

from __future__ import annotations

import multiprocessing
import selectors
from collections.abc import Sequence
from multiprocessing.connection import Connection
from types import TracebackType

from bench.performance.listening import GrpcListener

# With this, thousands of streams need few descriptors, here and in the server.
STREAMS_PER_CONNECTION = 100


class IdleStreams:
    """One open Listen over gRPC for each token, until the end of the block."""

    def __init__(self, address: str, tokens: Sequence[bytes]) -> None:
        """Raises RuntimeError if not all streams could be opened."""
        spawn = multiprocessing.get_context("spawn")
        self._control, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_hold, args=(address, tokens, theirs))
        self._process.start()
        theirs.close()
        try:
            self._control.recv()
        except EOFError:
            self._process.join()
            raise RuntimeError(f"{len(tokens):,} live streams could not be opened") from None

    def wait(self, seconds: float) -> None:
        """Wait while the streams stay open and idle, at most this number of seconds."""
        self._process.join(seconds)

    def __enter__(self) -> IdleStreams:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Raises RuntimeError if a stream has ended, or has received an event."""
        self._control.close()
        self._process.join()
        if self._process.exitcode and error is None:
            raise RuntimeError("the live streams did not stay open and idle")


def _hold(address: str, tokens: Sequence[bytes], control: Connection) -> None:
    starts = range(0, len(tokens), STREAMS_PER_CONNECTION)
    listeners = [GrpcListener(address, *tokens[start : start + STREAMS_PER_CONNECTION]) for start in starts]
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    for listener in listeners:
        selector.register(listener, selectors.EVENT_READ, listener)
    control.send("open")
    while True:
        for key, _ in selector.select():
            if key.data is None:
                return  # the other end has closed
            if key.data.receive():
                raise RuntimeError("a stream that should be idle brought messages")
