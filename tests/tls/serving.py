"""A server of both protocols over TLS, in this process, whose certificate a test may replace."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from chatbooth_grpc.addresses import look_up
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.rpc.server.chat_server import ChatServer
from chatbooth_grpc.server.flags import parse_settings
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from chatbooth_grpc.tls.certificate_files import CertificateFiles
from chatbooth_grpc.tls.reloading import CurrentCertificate
from chatbooth_grpc.wire.server.wire_server import WireServer, WireSettings
from chatbooth_grpc.wire.streams.tls_stream import tls_server
from tests.booth.cheap_passwords import cheap_passwords

PROTOCOLS = ("grpc", "wire")


class TlsServer(AbstractContextManager["TlsServer"]):
    """The server. `addresses` has the client's address of each protocol, with the scheme of TLS."""

    def __init__(self, folder: Path, files: CertificateFiles) -> None:
        self._stack = ExitStack()
        self.certificate = CurrentCertificate(files, 0.01)
        store = self._stack.enter_context(SQLiteStore(folder / "chatbooth.db"))
        switchboard = Switchboard(store, per_account=100)
        booth = Booth(store, passwords=cheap_passwords())
        settings = parse_settings(["--port", "0", "--drain-grace", "2s"], {})
        grpc = ChatServer(booth, switchboard, settings, certificate=self.certificate)
        wire_settings = WireSettings(look_up("127.0.0.1"), 0, 1 << 20)
        wire = WireServer(booth, switchboard, wire_settings, tls_server(lambda: self.certificate.now.context))
        self._stack.callback(grpc.drain)
        self._stack.callback(wire.drain, 2)
        self.places = {"grpc": grpc.start(), "wire": wire.start()}
        self.addresses = {protocol: f"{protocol}+tls://{place}" for protocol, place in self.places.items()}
        self.certificate.start()
        self._stack.callback(self.certificate.stop)

    def __exit__(self, *_: object) -> None:
        self._stack.close()
