"""The sockets on which a wire server listens. One thread waits for all of them."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator, Sequence

from chatbooth_grpc.wire.server.waker import Waker

_BACKLOG = 1_024


class ListeningSockets:
    """Takes over sockets that are bound, and listens on them."""

    def __init__(self, bound: Sequence[socket.socket]) -> None:
        self._sockets = {each.fileno(): each for each in bound}
        self._waker = Waker()
        self._poll = select.poll()
        for each in bound:
            each.listen(_BACKLOG)
            # A client may go away between `poll` and `accept`, which must not block then.
            each.setblocking(False)
            self._poll.register(each, select.POLLIN)
        self._poll.register(self._waker, select.POLLIN)

    @property
    def port(self) -> int:
        """The port, which is the same for all sockets. A unix socket has none, which is 0."""
        first = next(iter(self._sockets.values()))
        return 0 if first.family == socket.AF_UNIX else int(first.getsockname()[1])

    def ready(self) -> Iterator[socket.socket]:
        """Yield a listening socket each time a client waits there. End when `stop` is called."""
        woken = self._waker.fileno()
        while True:
            numbers = [number for number, _ in self._poll.poll()]
            if woken in numbers:
                return
            for number in numbers:
                yield self._sockets[number]

    def stop(self) -> None:
        """Make `ready` end. Any thread may call this."""
        self._waker.wake()

    def close(self) -> None:
        """Close the sockets. Call this when no thread waits for them any more."""
        for each in self._sockets.values():
            each.close()
        self._waker.close()
