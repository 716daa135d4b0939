"""A server whose side of each connection is a function of the test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.model import (
    Opening,
)
from chatbooth_grpc.wire.encoding import pushes
from chatbooth_grpc.wire.encoding.frames import Frame, FrameDecoder, encode_frame
from tests.booth.spies import Gate
from tests.wire.running import PATIENCE

TOKEN = bytes(range(16))


OPENED = encode_frame(actions.MESSAGE, pushes.encode_event(Opening(bytes(16), 1, 0, 0)))


DONE = encode_frame(actions.RESPONSE, b"\x00")


@contextmanager
def scripted(*answers: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve one connection after another, each by a function. Yield the address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(PATIENCE)

        def serve() -> None:
            for answer in answers:
                connected, _ = listening.accept()
                with connected:
                    connected.settimeout(PATIENCE)
                    answer(connected)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        thread.join(PATIENCE)
        assert not thread.is_alive()


def requests(connected: socket.socket) -> Iterator[Frame]:
    """Yield the requests of a client, to the end of its connection."""
    decoder = FrameDecoder(1 << 30, from_client=True)
    while data := _received(connected):
        yield from decoder.feed(data)


def _received(connected: socket.socket) -> bytes:
    try:
        return connected.recv(64 << 10)
    except ConnectionError:
        return b""


def answering(*replies: bytes) -> Callable[[socket.socket], None]:
    """Return a server's side that answers each request with the next bytes, then waits for the client to go."""

    def answer(connected: socket.socket) -> None:
        left = list(replies)
        for _ in requests(connected):
            if left:
                connected.sendall(left.pop(0))

    return answer


def silent(connected: socket.socket) -> None:
    """Read the requests, and answer none."""
    for _ in requests(connected):
        pass


def deaf_until(gate: Gate) -> Callable[[socket.socket], None]:
    """Return a server's side that is frozen: it reads nothing until the gate is opened."""

    def answer(connected: socket.socket) -> None:
        gate.hold()
        silent(connected)

    return answer
