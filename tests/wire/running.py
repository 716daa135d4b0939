"""A wire server on a free port, and peers that speak to it frame by frame."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from chatbooth_grpc.addresses import Host, look_up
from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.fair_shares import FairShares
from chatbooth_grpc.booth.model import OutgoingMessage, Session
from chatbooth_grpc.booth.observing import Observer
from chatbooth_grpc.booth.throttles import Throttles
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.wire.encoding import pushes, sending, sessions
from chatbooth_grpc.wire.encoding.codes import OK, decode_error
from chatbooth_grpc.wire.encoding.frames import Frame, FrameDecoder, encode_request
from chatbooth_grpc.wire.server.wire_server import WireServer, WireSettings
from chatbooth_grpc.wire.streams.byte_stream import ByteStream
from chatbooth_grpc.wire.streams.plain_stream import PlainStream
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords
from tests.booth.interrupted_store import InterruptedStore

PATIENCE = 30.0
"""How long a test waits for something that must happen, in seconds."""

TEXT_SIZE = 1 << 20


class Peer:
    """A client that sends what a test says, also what no good client sends."""

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.socket.settimeout(PATIENCE)
        self._decoder = FrameDecoder(1 << 30, from_client=False)
        self._frames: list[Frame] = []

    def send(self, action: int, body: bytes = b"", token: bytes = b"") -> None:
        """Send a request."""
        self.socket.sendall(encode_request(action, body, token))

    def receive(self) -> Frame | None:
        """Return the next frame, or None if the server has ended the connection."""
        while not self._frames:
            try:
                data = self.socket.recv(64 << 10)
            except ConnectionError:
                return None
            if not data:
                return None
            self._frames += self._decoder.feed(data)
        return self._frames.pop(0)

    def reply(self) -> bytes:
        """Return the body of the next frame, which must be a reply."""
        frame = self.receive()
        assert frame is not None, "the server has ended the connection"
        assert frame.action == actions.RESPONSE, frame
        return frame.body

    def ask(self, action: int, body: bytes = b"", token: bytes = b"") -> bytes:
        """Send a request and return the reply's body after its status. Raises the reply's error."""
        self.send(action, body, token)
        return success(self.reply())

    def pushed(self) -> Any:
        """Return the next push, decoded."""
        frame = self.receive()
        assert frame is not None, "the server has ended the connection"
        assert frame.action == actions.MESSAGE, frame
        return pushes.decode_push(frame.body)

    def sign_up(self, name: str) -> Session:
        """Make an account."""
        return sessions.decode_session(
            self.ask(actions.SIGN_UP, sessions.encode_log_in(actions.LogInRequest(name, PASSWORD)))
        )

    def is_ended(self) -> bool:
        """Wait for the end of the connection, and say whether no frame came before it."""
        return self.receive() is None

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()


class Running(AbstractContextManager["Running"]):
    """A wire server over a SQLite store, in this process. `settings` are those of WireSettings."""

    def __init__(
        self,
        path: Path,
        *,
        port: int = 0,
        host: Host | None = None,
        open_stream: Callable[[socket.socket], ByteStream] = PlainStream,
        observer: Observer | None = None,
        shares: FairShares | None = None,
        throttles: Throttles | None = None,
        **settings: Any,
    ) -> None:
        self.store = InterruptedStore(path, observer=observer)
        self.switchboard = Switchboard(self.store, observer=observer)
        self.booth = Booth(
            self.store, passwords=cheap_passwords(), observer=observer, shares=shares, throttles=throttles
        )
        merged = WireSettings(host or look_up("127.0.0.1"), port, TEXT_SIZE, **settings)
        self.server = WireServer(self.booth, self.switchboard, merged, open_stream)
        self.address = self.server.start()
        self._peers: list[Peer] = []
        self._drained = False

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self.address.rpartition(":")[2])

    def peer(self, source: str = "127.0.0.1") -> Peer:
        """Return a new connection from the address `source`."""
        peer = Peer(socket.create_connection(("127.0.0.1", self.port), PATIENCE, (source, 0)))
        self._peers.append(peer)
        return peer

    def drain(self, grace: float = 5.0) -> None:
        """End the server, once."""
        if not self._drained:
            self._drained = True
            self.switchboard.drain(grace)
            self.server.drain(grace)

    def close_peers(self) -> None:
        """Close every connection that was made here."""
        for peer in self._peers:
            peer.close()

    def __exit__(self, *_: object) -> None:
        self.close_peers()
        self.drain()
        self.store.close()


def success(body: bytes) -> bytes:
    """Return a reply's body after its status. Raises the reply's error."""
    if body[:1] != bytes((OK,)):
        raise decode_error(body)
    return body[1:]


def refusal(body: bytes) -> ChatboothError:
    """Return the error that a reply must hold."""
    assert body[0] != OK, body
    return decode_error(body)


def refusal_of(peer: Peer, action: int, body: bytes = b"", token: bytes = b"") -> ChatboothError:
    """Send a request that must be refused, and return the error."""
    peer.send(action, body, token)
    return refusal(peer.reply())


def send_body(recipient: str, text: str = "hello", message_id: bytes | None = None) -> bytes:
    """Return the body of a SEND. It has a new message id if none is given."""
    return sending.encode_outgoing(OutgoingMessage(recipient, message_id or os.urandom(16), text.encode()))


LISTEN = pushes.encode_listen_request(None)


def peer_text() -> str:
    """Return the address that the logs give a client which has no connection."""
    return "127.0.0.1:1"


def connection_threads() -> int:
    """Return how many threads of connections are alive, of all servers in this process."""
    return sum(thread.name == "wire-connection" for thread in threading.enumerate())
