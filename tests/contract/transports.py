"""The ways to the same booth: called directly, over gRPC, over the wire protocol.

"plain-grpc" is gRPC with an installed grpcio whose private names are not as expected.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from chatbooth_grpc.addresses import look_up
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.observing import Observer
from chatbooth_grpc.booth.store import Store
from chatbooth_grpc.client.library.grpc_transport import GrpcTransport
from chatbooth_grpc.client.library.transport import Transport
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.rpc.server.chat_server import ChatServer
from chatbooth_grpc.server.flags import parse_settings
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from chatbooth_grpc.wire.client.wire_transport import WireTransport
from chatbooth_grpc.wire.server.wire_server import WireServer, WireSettings
from tests.booth.cheap_passwords import cheap_passwords
from tests.client.booths import BoothTransport
from tests.contract.stores import Clock
from tests.rpc.another_grpcio import another_grpcio

WAYS = ("booth", "grpc", "plain-grpc", "wire")


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
def transport_to(store: Store, way: str, clock: Clock, observer: Observer | None = None) -> Iterator[Transport]:
    """Give one of the ways to a booth over a store. The caller may also change the store itself."""
    switchboard = Switchboard(store, observer=observer)
    booth = Booth(store, passwords=cheap_passwords(), observer=observer)
    # The stack ends everything even if the caller raises.
    with ExitStack() as ending:
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
