"""A connection of the wire server over a pair of sockets, with its thread."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.wire.server.connection import Connection
from chatbooth_grpc.wire.server.dispatch import Dispatcher
from chatbooth_grpc.wire.server.frame_writer import FrameWriter
from chatbooth_grpc.wire.server.slow_writer import SlowWriter
from chatbooth_grpc.wire.streams.plain_stream import PlainStream
from tests.wire.running import PATIENCE, TEXT_SIZE, Peer, Running


@contextmanager
def served(running: Running) -> Iterator[tuple[Peer, Connection, socket.socket]]:
    """A connection over a pair of sockets, with its thread."""
    near, far = socket.socketpair()
    slow_writer, unread = SlowWriter(), Unread()
    stream = PlainStream(far)
    writer = FrameWriter(stream, slow_writer, unread)
    one = Connection(stream, Dispatcher(running.booth, unread), running.switchboard, 2 * TEXT_SIZE, writer)
    thread = threading.Thread(target=one.serve)
    thread.start()
    peer = Peer(near)
    try:
        yield peer, one, far
    finally:
        peer.close()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        slow_writer.stop()
