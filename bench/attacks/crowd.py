"""A crowd of connections that each write the bytes of a script, until the process ends."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import select
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.attacks.target import ATTACKER, address_pair

_PASS = 0.02
"""The seconds of one pass. A connection that has ended is opened again in the next pass."""

_LATEST = 3.0
_READ_SIZE = 1 << 16
_SMALL_BUFFER = 4_096
_FOREVER = float("inf")


@dataclass(frozen=True)
class Script:
    """The life of one connection."""

    address: str
    """Where it connects to, HOST:PORT."""
    opening: bytes
    """The bytes that it writes first."""
    repeated: bytes = b""
    """The bytes that it writes afterwards, again and again."""
    pause: float = 0.0
    """The seconds between two times. 0 means as fast as the server takes them."""
    lasts: float = _FOREVER
    """The seconds after the opening until it ends the connection, and opens another one."""
    reads: bool = True
    """Whether it reads the server's answers."""
    source: str = ATTACKER
    """The address that it comes from."""


class Crowd:
    """Keeps a number of connections open. If one ends, the crowd opens another one."""

    def __init__(self, count: int, script: Callable[[int], Script]) -> None:
        """`script` returns the script of each connection, by a number that counts all connections ever opened."""
        self._count = count
        self._script = script
        self._numbers = itertools.count()
        self._epoll = select.epoll()
        self._members: dict[int, _Member] = {}
        # The later steps of members: the time, a number that keeps the order, the member, and the step.
        self._later: list[tuple[float, int, _Member, Callable[[], None]]] = []
        self._order = itertools.count()
        self._arrived = 0

    def run(self) -> Iterator[None]:
        """Attack. Yield after each pass, but first when every connection has written its opening or was refused.

        The server may drop the packets of some, so the first time comes after a few seconds at the latest.
        """
        latest = time.monotonic() + _LATEST
        while True:
            for _ in range(self._count - len(self._members)):
                self._open()
            end = time.monotonic() + _PASS
            while (left := end - time.monotonic()) > 0:
                for descriptor, events in self._epoll.poll(left):
                    self._serve(self._members[descriptor], events)
                self._do_what_is_due()
            if self._arrived >= self._count or time.monotonic() > latest:
                yield

    def _open(self) -> None:
        try:
            member = _Member(self._script(next(self._numbers)))
        except OSError:
            self._arrived += 1
            return
        self._members[member.descriptor] = member
        self._epoll.register(member.descriptor, member.events)

    def _end(self, member: _Member) -> None:
        if self._members.pop(member.descriptor, None) is not None:
            self._arrived += not member.is_opened
            self._epoll.unregister(member.descriptor)
            member.close()

    def _serve(self, member: _Member, events: int) -> None:
        if events & (select.EPOLLERR | select.EPOLLHUP) or (events & select.EPOLLRDHUP and not member.script.reads):
            self._end(member)
            return
        try:
            if events & select.EPOLLIN and not member.drop_received():
                self._end(member)
            elif events & select.EPOLLOUT and member.write():
                self._go_on(member)
        except BlockingIOError:
            pass
        except OSError:
            self._end(member)

    def _go_on(self, member: _Member) -> None:
        """Begin the next part of a script, after the last one is written."""
        script = member.script
        if not member.is_opened:
            member.is_opened = True
            self._arrived += 1
            if script.lasts < _FOREVER:
                self._do_later(script.lasts, member, lambda: self._end(member))
        if script.repeated and script.pause:
            self._do_later(script.pause, member, lambda: self._write_again(member))
        elif script.repeated:
            member.left = memoryview(script.repeated)
        self._watch(member)

    def _write_again(self, member: _Member) -> None:
        member.left = memoryview(member.script.repeated)
        self._watch(member)

    def _watch(self, member: _Member) -> None:
        self._epoll.modify(member.descriptor, member.events)

    def _do_later(self, seconds: float, member: _Member, act: Callable[[], None]) -> None:
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._order), member, act))

    def _do_what_is_due(self) -> None:
        while self._later and self._later[0][0] <= time.monotonic():
            _, _, member, act = heapq.heappop(self._later)
            if self._members.get(member.descriptor) is member:
                act()


class _Member:
    """One connection of a crowd."""

    def __init__(self, script: Script) -> None:
        """Begin to connect. Raises OSError."""
        self.script = script
        self.left = memoryview(script.opening)
        self.is_opened = False
        self._socket = socket.socket()
        try:
            self._connect()
        except OSError:
            self._socket.close()
            raise
        self.descriptor = self._socket.fileno()

    def _connect(self) -> None:
        self._socket.setblocking(False)
        if not self.script.reads:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
        # Without this, the system would reserve the port for all targets, and run out of ports.
        self._socket.setsockopt(socket.IPPROTO_IP, _BIND_ADDRESS_NO_PORT, 1)
        self._socket.bind((self.script.source, 0))
        with contextlib.suppress(BlockingIOError):
            self._socket.connect(address_pair(self.script.address))

    @property
    def events(self) -> int:
        """The events that it waits for now."""
        is_writing = bool(self.left) or not self.is_opened
        return select.EPOLLRDHUP | (select.EPOLLIN if self.script.reads else 0) | (select.EPOLLOUT if is_writing else 0)

    def write(self) -> bool:
        """Write as much as the socket takes. Return whether nothing is left. Raises OSError."""
        if self.left:
            self.left = self.left[self._socket.send(self.left) :]
        return not self.left

    def drop_received(self) -> bool:
        """Read and drop bytes. Return False if the server has ended the connection. Raises OSError."""
        return bool(self._socket.recv(_READ_SIZE))

    def close(self) -> None:
        """End the connection."""
        self._socket.close()


_BIND_ADDRESS_NO_PORT = 24
"""IP_BIND_ADDRESS_NO_PORT of Linux, which Python does not name before 3.12."""
