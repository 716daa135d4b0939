"""The sockets on which a wire server listens, waited for together by one thread until another says stop."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator, Sequence

from chatbooth_grpc.wire.server.waker import Waker

_BACKLOG = 1_024


class ListeningSockets:
    """Takes bound sockets over, and listens on them."""

    def __init__(self, bound: Sequence[socket.socket]) -> None:
        self._sockets = {each.fileno(): each for each in bound}
        self._waker = Waker()
        self._poll = select.poll()
        for each in bound:
            each.listen(_BACKLOG)
            # A client may go between `poll` and `accept`.
            each.setblocking(False)
            self._poll.register(each, select.POLLIN)
        self._poll.register(self._waker, select.POLLIN)

    @property
    def port(self) -> int:
        """The port of all of them."""
        return int(next(iter(self._sockets.values())).getsockname()[1])

    def ready(self) -> Iterator[socket.socket]:
        """Yield a socket whenever a client waits there, until `stop` is called."""
        woken = self._waker.fileno()
        while True:
            numbers = [number for number, _ in self._poll.poll()]
            if woken in numbers:
                return
            for number in numbers:
                yield self._sockets[number]

    def stop(self) -> None:
        """End `ready`, from any thread."""
        self._waker.wake()

    def close(self) -> None:
        """Close the sockets; call this when nobody waits for them any more."""
        for each in self._sockets.values():
            each.close()
        self._waker.close()
