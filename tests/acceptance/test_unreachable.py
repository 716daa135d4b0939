"""A server that cannot be reached: the error names the cause, over both wires."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chatbooth_grpc.booth import causes
from chatbooth_grpc.booth.errors import ServerUnreachable
from chatbooth_grpc.client import ChatClient, Security
from tests.acceptance.processes import PASSWORD, CommandLine, ServerProcess

TLS_ALERT = bytes.fromhex("15030100020246")
WEB_PAGE = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """Start listeners that answer anything with some bytes, then close. Yield the address of each."""
    with ExitStack() as stack:

        def start(answer: bytes) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            threading.Thread(target=_answer, args=(listener, answer), daemon=True).start()
            return f"127.0.0.1:{listener.getsockname()[1]}"

        yield start


def _answer(listener: socket.socket, answer: bytes) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            if answer:
                connection.recv(1_000)
                connection.sendall(answer)


@pytest.fixture(scope="module")
def wire_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a server that speaks the wire protocol alone."""
    folder = tmp_path_factory.mktemp("wire")
    server = ServerProcess(folder / "chatbooth.db", flags=("--no-grpc", "--wire-port", "0"))
    yield server.address
    server.end()


def cause(address: str, timeout: float = 10.0) -> str:
    """Return the cause that the library names for an address."""
    # Plain text to another machine finds the same causes.
    security = Security(insecure=True)
    with (
        ChatClient.connect(address, timeout=timeout, security=security) as client,
        pytest.raises(ServerUnreachable) as caught,
    ):
        client.log_in("ann", PASSWORD)
    assert caught.value.cause in causes.CAUSES
    return caught.value.cause


def unused_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


def test_the_library_names_the_cause_over_grpc(answering: Callable[[bytes], str], wire_server: str) -> None:
    assert cause(unused_port()) == causes.REFUSED
    assert cause("nosuch.invalid:1") == causes.NAME_UNKNOWN
    assert cause(wire_server) == causes.SPEAKS_WIRE
    assert cause(answering(WEB_PAGE)) == causes.SPEAKS_HTTP
    assert cause(answering(b"SSH-2.0-OpenSSH_9.9\r\n")) == causes.SPEAKS_OTHER
    assert cause(answering(TLS_ALERT)) == causes.CLOSED
    assert cause(answering(b"")) == causes.CLOSED


def test_the_library_names_the_cause_over_the_wire(
    answering: Callable[[bytes], str], shared_server: ServerProcess
) -> None:
    assert cause(f"wire://{unused_port()}") == causes.REFUSED
    assert cause("wire://nosuch.invalid:1") == causes.NAME_UNKNOWN
    assert cause("wire://a..b:1") == causes.NAME_UNKNOWN
    assert cause(f"wire://{shared_server.address}") == causes.SPEAKS_GRPC
    assert cause(f"wire://{answering(WEB_PAGE)}") == causes.SPEAKS_HTTP
    assert cause(f"wire://{answering(b'SSH-2.0-OpenSSH_9.9')}") == causes.SPEAKS_OTHER
    assert cause(f"wire://{answering(TLS_ALERT)}") == causes.SPEAKS_TLS


@pytest.fixture
def silent_port() -> Iterator[str]:
    """Return an address where packets get no answer, as from a firewall: its queue of connections is full."""
    with socket.socket() as listener, ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse a connection that finds the queue full")
def test_an_address_that_does_not_answer_is_named_as_such(silent_port: str) -> None:
    assert cause(silent_port, timeout=60.0) == causes.TIMED_OUT
    assert cause(f"wire://{silent_port}", timeout=2.0) == causes.TIMED_OUT


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EHOSTUNREACH, causes.NO_ROUTE),
        (errno.ENETUNREACH, causes.NO_ROUTE),
        (errno.EACCES, causes.NOT_PERMITTED),
        (errno.ETIMEDOUT, causes.TIMED_OUT),
    ],
)
def test_the_systems_errors_become_causes(number: int, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "create_connection", fail)
    assert cause("wire://127.0.0.1:1") == expected


@pytest.mark.parametrize("variable", ["grpc_proxy", "https_proxy", "http_proxy"])
def test_a_proxy_on_the_way_is_named(
    variable: str, answering: Callable[[bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("grpc_proxy", "https_proxy", "http_proxy", "no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    for proxy in (unused_port(), answering(b"HTTP/1.1 403 Forbidden\r\n\r\n")):
        monkeypatch.setenv(variable, f"http://{proxy}")
        with ChatClient.connect("grpc+tls://chat.invalid:50051") as client, pytest.raises(ServerUnreachable) as caught:
            client.log_in("ann", PASSWORD)
        assert (caught.value.cause, caught.value.variable) == (causes.PROXY, variable)
        assert f"The variable {variable} sends the connection through a proxy" in str(caught.value)
    # gRPC uses no proxy to this machine.
    assert cause(unused_port()) == causes.REFUSED
    monkeypatch.setenv("no_proxy", "elsewhere.invalid,chat.invalid")
    assert cause("chat.invalid:50051") == causes.NAME_UNKNOWN


def test_a_person_reads_advice_and_a_program_the_cause(
    wire_server: str, shared_server: ServerProcess, tmp_path: Path
) -> None:
    chatbooth = CommandLine(wire_server, tmp_path)
    done = chatbooth("--timeout", "30", "login", "ann")
    assert done.code == 4
    assert f"Use the address wire://{wire_server}\n" in done.err
    done = chatbooth("--json", "--timeout", "30", "--server", f"wire://{shared_server.address}", "login", "ann")
    assert done.code == 4
    assert json.loads(done.err)["details"]["cause"] == causes.SPEAKS_GRPC
    assert f"Use the address {shared_server.address} without wire://" in done.err


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("host:0", "within 1 and 65535"),
        ("host:65536", "within 1 and 65535"),
        ("wire://host:99999999", "within 1 and 65535"),
        ("http://host:80", "write host:80 alone"),
        ("[1::2::3]:4", "write HOST:PORT"),
    ],
)
def test_the_error_of_a_malformed_address_says_what_is_wrong(address: str, words: str, tmp_path: Path) -> None:
    done = CommandLine(address, tmp_path)("list")
    assert done.code == 2
    assert words in done.err
