"""One thread that reads for all connections that send small SENDs one after another.

Waking a connection's own thread for a SEND costs more than all the Python code that handles the SEND. Threads that wake
together win the interpreter's lock one after another, and each time the system switches between threads. So a
connection that keeps sending is lent to the shared reader. In each round the shared reader reads from all connections
that have bytes, and hands their SENDs to the store in one call.

Handling some bytes could block, and some bytes are no SENDs. The shared reader gives the connection back with such
bytes. The connection's own thread waits for that, and continues with the bytes.
"""

from __future__ import annotations

import logging
import select
import threading
from typing import Protocol

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.wire.server.sends import Sends
from chatbooth_grpc.wire.server.waker import Waker
from chatbooth_grpc.wire.streams.byte_stream import ByteStream, new_buffer

READ_SIZE = 2_048
"""A read of this size or more is given back, because its own thread serves a client better that sends this much."""

CAN_SHARE = hasattr(select, "epoll")

_log = logging.getLogger(__name__)


class Lender(Protocol):
    """A connection, as the shared reader sees it. The reader's thread calls these methods, so they must not block."""

    def take_quickly(self, data: bytes, sends: Sends) -> bool:
        """Add the requests in `data` to `sends`, and return True.

        If that could block, or if `data` is not made of whole SENDs, do nothing and return False.
        """

    def give_back(self, data: bytes | OSError) -> None:
        """Continue with `data`, which nobody has handled. Empty data means that the client has ended the connection."""


class SharedReader:
    """The thread, and the connections that are lent to it."""

    def __init__(self, booth: Booth) -> None:
        self._booth = booth
        # The connections that are lent, by the descriptors of their streams.
        self._lent: dict[int, tuple[ByteStream, Lender]] = {}
        self._epoll = select.epoll()
        self._buffer = new_buffer(READ_SIZE)
        self._waker = Waker()
        self._epoll.register(self._waker, select.EPOLLIN)
        self._thread = threading.Thread(target=self._read, name="wire-shared-reader", daemon=True)
        self._thread.start()

    def lend(self, stream: ByteStream, lender: Lender) -> bool:
        """Read from the stream for `lender`, which must not read itself until the stream is given back.

        Returns False if the stream cannot be watched, because the system watches only a limited number of descriptors.
        """
        number = stream.fileno()
        self._lent[number] = stream, lender
        try:
            self._epoll.register(number, select.EPOLLIN)
        except (OSError, ValueError):
            # A ValueError means that the stream is closed.
            del self._lent[number]
            return False
        return True

    def stop(self) -> None:
        """End the thread. Call this when no connection is lent any more."""
        self._waker.wake()
        self._thread.join()
        self._epoll.close()
        self._waker.close()

    def _read(self) -> None:
        woken = self._waker.fileno()
        while True:
            ready = [number for number, _ in self._epoll.poll()]
            if woken in ready:
                return  # `stop` was called
            sends = Sends(self._booth)
            for number in ready:
                self._read_one(number, sends)
            sends.store()

    def _read_one(self, number: int, sends: Sends) -> None:
        stream, lender = self._lent[number]
        left: bytes | OSError | None
        try:
            left = stream.receive_quickly(self._buffer)
            if left and len(left) < READ_SIZE and lender.take_quickly(left, sends):
                return
        except OSError as error:
            left = error
        except Exception:  # noqa: BLE001  # a bug ends one connection
            _log.exception("a connection failed")
            left = ConnectionAbortedError()
        if left is None:
            return
        self._epoll.unregister(number)
        del self._lent[number]
        lender.give_back(left)
