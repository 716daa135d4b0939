"""Reading for the connections that send one small run of SENDs after another: one thread for all of them.

Waking a connection's own thread for a SEND costs more than all that Python does for it: threads that wake together win
the interpreter's lock one after another, by a switch between threads each. So a connection that keeps sending is lent
to this thread, which takes what has come on all of them and hands it to the store in one go. What it may not take,
since that could block or is anything but SENDs, it gives back: the connection's thread, which waits for that, goes on
with the bytes that were read.
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
"""What is read at once is smaller than this, or given back: who sends more has better use of a thread of its own."""

CAN_SHARE = hasattr(select, "epoll")

_log = logging.getLogger(__name__)


class Lender(Protocol):
    """A connection, as its reader sees it. Called on the reader's thread, which must not be blocked."""

    def take_quickly(self, data: bytes, sends: Sends) -> bool:
        """Put what was read to the SENDs; False: that could block, or is anything else, and nothing was done."""

    def give_back(self, data: bytes | OSError) -> None:
        """Go on reading from `data`, which nobody has taken; empty: the client has ended the connection."""


class SharedReader:
    """The thread, and the connections that are lent to it."""

    def __init__(self, booth: Booth) -> None:
        self._booth = booth
        self._lent: dict[int, tuple[ByteStream, Lender]] = {}  # by the streams' descriptors
        self._epoll = select.epoll()
        self._buffer = new_buffer(READ_SIZE)
        self._waker = Waker()
        self._epoll.register(self._waker, select.EPOLLIN)
        self._thread = threading.Thread(target=self._read, name="wire-shared-reader", daemon=True)
        self._thread.start()

    def lend(self, stream: ByteStream, lender: Lender) -> bool:
        """Read from the stream for `lender`, which leaves it alone until it is given back.

        Returns whether that can be: the system watches so many sockets and no more.
        """
        number = stream.fileno()
        self._lent[number] = stream, lender
        try:
            self._epoll.register(number, select.EPOLLIN)
        except (OSError, ValueError):  # ValueError: the stream is closed
            del self._lent[number]
            return False
        return True

    def stop(self) -> None:
        """End the thread; call this when nothing is lent any more."""
        self._waker.wake()
        self._thread.join()
        self._epoll.close()
        self._waker.close()

    def _read(self) -> None:
        woken = self._waker.fileno()
        while True:
            ready = [number for number, _ in self._epoll.poll()]
            if woken in ready:
                return  # nothing is lent any more
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
        except Exception:  # noqa: BLE001  # a defect ends one connection
            _log.exception("a connection failed")
            left = ConnectionAbortedError()
        if left is None:
            return
        self._epoll.unregister(number)
        del self._lent[number]
        lender.give_back(left)
