"""Servers and clients on unix sockets: private, in nobody's place, and gone after the server."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chatbooth_grpc import unix_sockets
from chatbooth_grpc.addresses import ListenError, bind, look_up
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.client import ChatClient
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.rpc.server.chat_server import ChatServer
from chatbooth_grpc.server.flags import parse_settings
from chatbooth_grpc.server.twins import FlagError
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from chatbooth_grpc.wire.server.wire_server import WireServer, WireSettings
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # The usual folders of tests have longer names than a socket may have.
    return tmp_path_factory.mktemp("s") / "chat"


def serve(path: Path, stack: ExitStack) -> dict[str, str]:
    """Serve both protocols; return the client's addresses."""
    store = stack.enter_context(SQLiteStore(path.with_name("chat.db")))
    switchboard = Switchboard(store)
    booth = Booth(store, passwords=cheap_passwords())
    settings = parse_settings(["--host", f"unix:{path}", "--drain-grace", "2s"], {})
    server = ChatServer(booth, switchboard, settings)
    wire = WireServer(booth, switchboard, WireSettings(settings.host.beside(".wire"), 0, 1 << 20))
    address = server.start()
    stack.callback(server.drain)
    wire_address = wire.start()
    stack.callback(wire.drain, 2)
    return {"grpc": address, "wire": f"wire+{wire_address}"}


@pytest.mark.parametrize("protocol", ["grpc", "wire"])
def test_a_client_uses_a_socket(path: Path, stack: ExitStack, protocol: str) -> None:
    addresses = serve(path, stack)
    assert addresses == {"grpc": f"unix:{path}", "wire": f"wire+unix:{path}.wire"}
    with ChatClient.connect(addresses[protocol]) as client:
        client.sign_up("ann", PASSWORD)
        client.send("ann", "hello")
        assert client.deliver().messages[0].text == "hello"


def test_only_the_servers_user_and_group_may_connect(path: Path, stack: ExitStack) -> None:
    before = os.umask(0)
    try:
        serve(path, stack)
    finally:
        os.umask(before)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (path, Path(f"{path}.wire"))] == [0o660, 0o660]
    stack.close()
    assert not path.exists()
    assert not Path(f"{path}.wire").exists()


def test_the_socket_of_a_dead_server_is_replaced_and_that_of_a_living_one_is_not(path: Path, stack: ExitStack) -> None:
    host = look_up(f"unix:{path}")
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    [living] = bind(host, 0)
    stack.callback(living.close)
    living.listen()
    with pytest.raises(ListenError, match="a server listens there"):
        bind(host, 0)
    with pytest.raises(ListenError, match="a server listens there"):
        serve(path, stack)


def test_a_file_that_is_no_socket_is_not_touched(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(ListenError, match="is not a socket"):
        bind(look_up(f"unix:{path}"), 0)
    assert path.read_text() == "precious"


def test_a_path_that_is_too_long_or_missing_is_refused() -> None:
    for wrong in ("unix:", f"unix:/{'x' * unix_sockets.LONGEST}"):
        with pytest.raises(ListenError, match="not a socket's path"):
            look_up(wrong)


def test_a_folder_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(ListenError, match="no such file"):
        bind(look_up("unix:/nowhere/chat"), 0)


def test_others_cannot_reach_a_socket() -> None:
    assert look_up("unix:/run/chat").is_loopback


def test_a_list_of_proxies_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(FlagError, match="not a list of addresses"):
        parse_settings(["--proxy-protocol", "proxy.example"], {})
    assert parse_settings(["--proxy-protocol", "::1, 10.0.0.0/8"], {}).proxy_protocol.has("10.1.2.3")
