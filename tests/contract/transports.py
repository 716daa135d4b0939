"""The ways to the same booth: called directly, over gRPC, over the wire protocol.

"plain-grpc" is gRPC with an installed grpcio whose private names are not as expected. The ways with "tls" are
encrypted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from chatbooth_grpc.addresses import look_up
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.model import Limits
from chatbooth_grpc.booth.observing import Observer
from chatbooth_grpc.booth.store import Store
from chatbooth_grpc.booth.throttles import Throttles
from chatbooth_grpc.client.library.opening import open_transport
from chatbooth_grpc.client.library.security import Security
from chatbooth_grpc.client.library.transport import Transport
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.rpc.server.chat_server import ChatServer
from chatbooth_grpc.server.flags import parse_settings
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from chatbooth_grpc.tls.reloading import CurrentCertificate
from chatbooth_grpc.wire.server.wire_server import WireServer, WireSettings
from chatbooth_grpc.wire.streams.plain_stream import PlainStream
from chatbooth_grpc.wire.streams.tls_stream import tls_server
from tests.booth.cheap_passwords import cheap_passwords
from tests.client.booths import BoothTransport
from tests.contract.stores import Clock
from tests.rpc.another_grpcio import another_grpcio

CAN_CERTIFY = find_spec("trustme") is not None
"""Whether certificates can be made here."""

PLAIN_WAYS = ("booth", "grpc", "plain-grpc", "wire")
WAYS = (*PLAIN_WAYS, *(("grpc-tls", "wire-tls") if CAN_CERTIFY else ()))


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
def transport_to(
    store: Store,
    way: str,
    clock: Clock,
    observer: Observer | None = None,
    throttles: Throttles | None = None,
    limits: Limits | None = None,
) -> Iterator[Transport]:
    """Give one of the ways to a booth over a store. The caller may also change the store itself."""
    switchboard = Switchboard(store, observer=observer)
    booth = Booth(store, limits=limits, passwords=cheap_passwords(), observer=observer, throttles=throttles)
    # The stack ends everything even if the caller raises.
    with ExitStack() as ending:
        certificate = ending.enter_context(_certificate()) if way.endswith("-tls") else None
        if way == "booth":
            ending.callback(switchboard.drain, 1)
            yield BoothTransport(booth)
        elif way in ("grpc", "plain-grpc", "grpc-tls"):
            if way == "plain-grpc":
                ending.enter_context(another_grpcio())
            settings = parse_settings(["--port", "0", "--drain-grace", "2s"], {})
            server = ChatServer(booth, switchboard, settings, certificate=certificate)
            ending.callback(server.drain)
            yield ending.enter_context(closing(_opened("grpc", server.start(), certificate)))
        else:
            settings_of_wire = WireSettings(look_up("127.0.0.1"), 0, 1 << 20)
            open_stream = tls_server(lambda: certificate.now.context) if certificate else PlainStream
            wire = WireServer(booth, switchboard, settings_of_wire, open_stream)
            ending.callback(wire.drain, 2)
            ending.callback(switchboard.drain, 1)
            yield ending.enter_context(closing(_opened("wire", wire.start(), certificate)))


@contextmanager
def _certificate() -> Iterator[CurrentCertificate]:
    # Without the library that makes certificates, this module must still be importable.
    from tests.tls.issuing import Authority

    with TemporaryDirectory() as folder:
        yield CurrentCertificate(Authority(Path(folder)).issue())


def _opened(protocol: str, address: str, certificate: CurrentCertificate | None) -> Transport:
    """Open a transport as the library does. It trusts the certificate alone."""
    if certificate is None:
        return open_transport(f"wire://{address}" if protocol == "wire" else address, Security())
    return open_transport(f"{protocol}+tls://{address}", Security(trust=certificate.now.fingerprint))
