"""The ways to the same booth: called directly, over gRPC, over the wire protocol.

"plain-grpc" is gRPC with an installed grpcio whose private names are not as expected.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from chatbooth_grpc.addresses import look_up
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import ChatboothError
from chatbooth_grpc.booth.model import Delivery, OutgoingMessage, Page, Receipt, Removal, Session
from chatbooth_grpc.booth.store import Store
from chatbooth_grpc.client.library.grpc_transport import GrpcTransport
from chatbooth_grpc.client.library.transport import EventStream, Transport
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.rpc.server.chat_server import ChatServer
from chatbooth_grpc.server.flags import parse_settings
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from chatbooth_grpc.wire.client.wire_transport import WireTransport
from chatbooth_grpc.wire.server.wire_server import WireServer, WireSettings
from tests.booth.cheap_passwords import cheap_passwords
from tests.client.booth_stream import BoothSendStream
from tests.contract.stores import Clock
from tests.rpc.another_grpcio import another_grpcio

WAYS = ("booth", "grpc", "plain-grpc", "wire")


class BoothTransport:
    """A Transport that is a call."""

    def __init__(self, booth: Booth) -> None:
        self._booth = booth

    def sign_up(self, username: str, password: str, *, token: bytes = b"", timeout: float) -> Session:
        return self._booth.sign_up(username, password, token)

    def log_in(self, username: str, password: str, *, token: bytes = b"", timeout: float) -> Session:
        return self._booth.log_in(username, password, token)

    def log_out(self, token: bytes, *, timeout: float) -> None:
        self._booth.log_out(token)

    def change_password(self, token: bytes, old_password: str, new_password: str, *, timeout: float) -> int:
        return self._booth.change_password(token, old_password, new_password)

    def list(self, token: bytes, pattern: str, prefix: str, page_size: int, page_token: str, *, timeout: float) -> Page:
        return self._booth.list(token, pattern, prefix, page_size, page_token)

    def send(self, token: bytes, message: OutgoingMessage, *, timeout: float) -> Receipt:
        stream = self.send_stream(token)
        stream.send([message])
        [outcome] = stream.receive()
        if isinstance(outcome, ChatboothError):
            raise outcome
        return outcome

    def send_stream(self, token: bytes) -> BoothSendStream:
        return BoothSendStream(self._booth, token)

    def deliver(
        self,
        token: bytes,
        acknowledge_through: int,
        after: int | None,
        max_messages: int,
        *,
        timeout: float,
        epoch: bytes = b"",
    ) -> Delivery:
        return self._booth.deliver(token, acknowledge_through, after, max_messages, epoch)

    def listen(self, token: bytes, after: int | None) -> EventStream:
        raise LookupError("a stream needs a transport")

    def acknowledge(self, token: bytes, through: int, *, timeout: float, epoch: bytes = b"") -> None:
        self._booth.acknowledge(token, through, epoch)

    def delete(self, token: bytes, password: str, *, timeout: float) -> Removal:
        return self._booth.delete(token, password)

    def close(self) -> None:
        """Nothing to close."""


@contextmanager
def transport_by(way: str, folder: Path, clock: Clock | None = None) -> Iterator[Transport]:
    """Give one of the ways to a booth of its own, with a clock that stands still unless its owner moves it."""
    folder.mkdir()
    clock = clock or Clock()
    with (
        SQLiteStore(folder / "chatbooth.db", clock=clock) as store,
        transport_to(store, way, clock) as transport,
    ):
        yield transport


@contextmanager
def transport_to(store: Store, way: str, clock: Clock) -> Iterator[Transport]:
    """Give one of the ways to a booth over a store, whose owner may act on it behind the booth's back."""
    switchboard = Switchboard(store)
    booth = Booth(store, passwords=cheap_passwords())
    with ExitStack() as ending:  # whatever is raised meanwhile
        if way == "booth":
            ending.callback(switchboard.drain, 1)
            yield BoothTransport(booth)
        elif way in ("grpc", "plain-grpc"):
            if way == "plain-grpc":
                ending.enter_context(another_grpcio())
            server = ChatServer(booth, switchboard, parse_settings(["--port", "0", "--drain-grace", "2s"], {}))
            ending.callback(server.drain)
            yield ending.enter_context(closing(GrpcTransport(server.start())))
        else:
            wire = WireServer(booth, switchboard, WireSettings(look_up("127.0.0.1"), 0, 1 << 20))
            ending.callback(wire.drain, 2)
            ending.callback(switchboard.drain, 1)
            yield ending.enter_context(closing(WireTransport(wire.start())))
