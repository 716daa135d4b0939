"""Over gRPC new connections see a new certificate, on every address, and open streams go on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc._gen import chatbooth_pb2_grpc as pb_grpc
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.rpc.server.chat_server import ChatServer
from chatbooth_grpc.server.flags import parse_settings
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from chatbooth_grpc.tls.certificate_files import CertificateFiles
from chatbooth_grpc.tls.reloading import CurrentCertificate
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords
from tests.rpc.running import PATIENCE, bearer
from tests.tls.issuing import Authority
from tests.waiting import wait_until

STREAMS = 50


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def serve(files: CertificateFiles, folder: Path, stack: ExitStack, host: str = "127.0.0.1") -> tuple[str, Any]:
    """Start a server with a certificate; return its port and the certificate."""
    current = CurrentCertificate(files, 0.01)
    store = stack.enter_context(SQLiteStore(folder / "chatbooth.db"))
    settings = parse_settings(["--host", host, "--port", "0", "--drain-grace", "2s"], {})
    switchboard = Switchboard(store, per_account=STREAMS)
    server = ChatServer(Booth(store, passwords=cheap_passwords()), switchboard, settings, certificate=current)
    stack.callback(server.drain)
    port = server.start().rpartition(":")[2]
    current.start()
    stack.callback(current.stop)
    return port, current


def stub(address: str, stack: ExitStack, trusted: bytes, *pair: bytes) -> pb_grpc.ChatServiceStub:
    """Return a client that trusts some certificates alone, over a connection of its own."""
    credentials = grpc.ssl_channel_credentials(trusted, *pair)
    channel = grpc.secure_channel(address, credentials, options=[("grpc.use_local_subchannel_pool", 1)])
    stack.callback(channel.close)
    return pb_grpc.ChatServiceStub(channel)


def first_certificate(files: CertificateFiles) -> bytes:
    """Return a server's own certificate, without those of its authorities."""
    end = b"-----END CERTIFICATE-----\n"
    return files.certificate.read_bytes().partition(end)[0] + end


def test_open_streams_survive_a_new_certificate_which_new_connections_see(
    authority: Authority, tmp_path: Path, stack: ExitStack
) -> None:
    files = authority.issue()
    old = first_certificate(files)
    port, current = serve(files, tmp_path, stack)
    address = f"127.0.0.1:{port}"
    ann = stub(address, stack, old)
    session = ann.SignUp(pb.SignUpRequest(username="ann", password=PASSWORD), timeout=PATIENCE).session
    streams = [ann.Listen(pb.ListenRequest(), metadata=bearer(session)) for _ in range(STREAMS)]
    for stream in streams:
        assert next(stream).HasField("opening")
    before = current.now
    authority.issue()
    wait_until(lambda: current.now is not before)
    new = stub(address, stack, first_certificate(files))
    request = pb.SendRequest(recipient="ann", message_id=b"\1" * 16, text="hello")
    new.Send(request, metadata=bearer(session), timeout=PATIENCE)
    for stream in streams:
        assert next(stream).batch.messages[0].text == "hello"
        stream.cancel()
    with pytest.raises(grpc.RpcError, match="CERTIFICATE_VERIFY_FAILED"):
        stub(address, stack, old).Send(request, metadata=bearer(session), timeout=PATIENCE)
    # The connection that is open needs no handshake.
    ann.Send(request, metadata=bearer(session), timeout=PATIENCE)


def test_each_address_of_a_host_sees_the_new_certificate(
    authority: Authority, tmp_path: Path, stack: ExitStack
) -> None:
    files = authority.issue()
    port, current = serve(files, tmp_path, stack, "localhost")
    for _ in range(3):
        before = current.now
        authority.issue()
        wait_until(lambda before=before: current.now is not before)  # type: ignore[misc]
        for host in ("127.0.0.1", "[::1]"):
            ann = stub(f"{host}:{port}", stack, first_certificate(files))
            with pytest.raises(grpc.RpcError, match="UNAUTHENTICATED"):
                ann.Deliver(pb.DeliverRequest(), timeout=PATIENCE)


def test_clients_must_show_a_certificate_if_the_server_asks_for_one(
    authority: Authority, tmp_path: Path, stack: ExitStack
) -> None:
    (tmp_path / "other").mkdir()
    files = authority.issue(client_ca=authority.file)
    port, _ = serve(files, tmp_path, stack)
    trusted = first_certificate(files)
    ours = authority.issue("ann", label="client")
    theirs = Authority(tmp_path / "other").issue("ann", label="client")
    request = pb.SignUpRequest(username="ann", password=PASSWORD)
    pair = ours.key.read_bytes(), ours.certificate.read_bytes()
    assert stub(f"127.0.0.1:{port}", stack, trusted, *pair).SignUp(request, timeout=PATIENCE).session.username == "ann"
    for wrong in ((), (theirs.key.read_bytes(), theirs.certificate.read_bytes())):
        with pytest.raises(grpc.RpcError) as caught:
            stub(f"127.0.0.1:{port}", stack, trusted, *wrong).SignUp(request, timeout=PATIENCE)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
