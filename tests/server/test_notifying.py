"""The server's messages to its supervisor, over a real socket."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatbooth_grpc.server.notifying import Supervisor
from chatbooth_grpc.tls.certificate_files import CertificateFiles
from tests.server.served import PATIENCE, Served
from tests.waiting import wait_until

FAST = "300000"


class Listening:
    """A supervisor that reads the messages of a server."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0"))
        self._socket.settimeout(PATIENCE)
        self.address = address

    def next(self, *, skip: str = "WATCHDOG=1") -> dict[str, str]:
        """Return the next message that is not `skip`."""
        while (message := self._socket.recv(1_000).decode()) == skip:
            continue
        return dict(line.split("=", 1) for line in message.split("\n"))

    def is_quiet(self) -> bool:
        """Return whether no message waits."""
        return not select.select([self._socket], [], [], 0)[0]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def systemd(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Listening]:
    """A supervisor at either kind of address."""
    path = str(tmp_path / "notify")
    listening = Listening(f"@{path}" if request.param == "abstract" else path)
    yield listening
    listening.close()


@pytest.fixture
def certificate(tmp_path: Path) -> CertificateFiles:
    """The files of a server's certificate."""
    # The library that makes certificates may be missing. Then the tests that need it are skipped.
    from tests.tls.issuing import Authority

    return Authority(tmp_path).issue()


def encrypted(files: CertificateFiles) -> tuple[str, ...]:
    return ("--tls-cert", str(files.certificate), "--tls-key", str(files.key))


def test_a_server_says_that_it_is_ready_reloads_and_stops(
    serve: Callable[..., Served], systemd: Listening, certificate: CertificateFiles
) -> None:
    server = serve("--wire-port", "0", *encrypted(certificate), NOTIFY_SOCKET=systemd.address)
    ready = systemd.next()
    assert ready["READY"] == "1"
    found = re.fullmatch(
        r"Serving gRPC on 127\.0\.0\.1:(\d+) and the wire protocol on 127\.0\.0\.1:(\d+)", ready["STATUS"]
    )
    assert found
    for port in found.groups():
        socket.create_connection(("127.0.0.1", int(port)), PATIENCE).close()
    before = time.monotonic_ns() // 1_000
    server.process.send_signal(signal.SIGHUP)
    reloading = systemd.next()
    assert reloading["RELOADING"] == "1"
    assert before <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1_000
    assert systemd.next() == {"READY": "1"}
    # The reload has ended by then.
    assert "new connections see the certificate that was just read" in server.said
    server.process.send_signal(signal.SIGTERM)
    assert systemd.next()["STOPPING"] == "1"
    assert server.process.wait(PATIENCE) == 0
    assert systemd.is_quiet()


def test_a_server_is_ready_again_when_the_reload_has_ended(
    serve: Callable[..., Served], systemd: Listening, certificate: CertificateFiles
) -> None:
    server = serve(*encrypted(certificate), NOTIFY_SOCKET=systemd.address)
    assert systemd.next()["READY"] == "1"
    certificate.certificate.unlink()
    os.mkfifo(certificate.certificate)
    server.process.send_signal(signal.SIGHUP)
    assert systemd.next()["RELOADING"] == "1"
    # This waits until the server opens the file to read it.
    with certificate.certificate.open("wb") as being_read:
        assert systemd.is_quiet()
        being_read.write(b"no certificate")
    assert systemd.next() == {"READY": "1"}
    assert "the old one stays" in server.said


def test_a_reload_of_nothing_ends_at_once(serve: Callable[..., Served], systemd: Listening) -> None:
    server = serve(NOTIFY_SOCKET=systemd.address)
    assert systemd.next()["READY"] == "1"
    server.process.send_signal(signal.SIGHUP)
    assert systemd.next()["RELOADING"] == "1"
    assert systemd.next() == {"READY": "1"}
    assert "nothing to reload" in server.said


def test_a_server_that_works_satisfies_the_watchdog(serve: Callable[..., Served], systemd: Listening) -> None:
    serve(NOTIFY_SOCKET=systemd.address, WATCHDOG_USEC=FAST)
    assert systemd.next()["READY"] == "1"
    for _ in range(3):
        assert systemd.next(skip="") == {"WATCHDOG": "1"}


def test_a_stuck_server_is_silent_until_it_moves(systemd: Listening) -> None:
    is_moving, asked = threading.Event(), threading.Semaphore(0)

    def look(patience: float) -> bool:
        assert patience == 2.0
        asked.release()
        return is_moving.is_set()

    supervisor = Supervisor({"NOTIFY_SOCKET": systemd.address, "WATCHDOG_USEC": "30000"})
    supervisor.watch(look)
    for _ in range(5):
        assert asked.acquire(timeout=PATIENCE)
    assert systemd.is_quiet()
    is_moving.set()
    assert systemd.next(skip="") == {"WATCHDOG": "1"}
    supervisor.say_stopping()
    assert systemd.next()["STOPPING"] == "1"
    wait_until(lambda: "watchdog" not in {thread.name for thread in threading.enumerate()})


def test_the_last_message_is_that_the_server_stops(systemd: Listening) -> None:
    supervisor = Supervisor({"NOTIFY_SOCKET": systemd.address})
    supervisor.say_stopping()
    supervisor.say_reloading()
    supervisor.say_ready()
    assert systemd.next() == {"STOPPING": "1", "STATUS": "Draining"}
    assert systemd.is_quiet()


def test_no_child_inherits_the_supervisor(tmp_path: Path) -> None:
    environment = {"NOTIFY_SOCKET": str(tmp_path / "s"), "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1", "HOME": "/"}
    Supervisor(environment)
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize(
    "variables",
    [
        {"WATCHDOG_PID": "1", "WATCHDOG_USEC": "30000"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "30000", "NOTIFY_SOCKET": "vsock:2:1234"},
        {"WATCHDOG_USEC": "30000", "NOTIFY_SOCKET": ""},
    ],
)
def test_a_watchdog_that_does_not_watch_this_process_gets_nothing(
    systemd: Listening, variables: dict[str, str]
) -> None:
    supervisor = Supervisor({"NOTIFY_SOCKET": systemd.address, **variables})
    supervisor.watch(lambda _: True)
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}


def test_a_watchdog_of_this_process_gets_its_messages(systemd: Listening) -> None:
    process_id = str(os.getpid())
    supervisor = Supervisor({"NOTIFY_SOCKET": systemd.address, "WATCHDOG_PID": process_id, "WATCHDOG_USEC": "30000"})
    supervisor.watch(lambda _: True)
    assert systemd.next(skip="") == {"WATCHDOG": "1"}
    supervisor.say_stopping()


def test_a_supervisor_that_is_gone_keeps_no_server_from_serving(serve: Callable[..., Served], tmp_path: Path) -> None:
    server = serve(NOTIFY_SOCKET=str(tmp_path / "gone"))
    wait_until(lambda: "the supervisor was not told message_lost=READY=1" in server.said.replace('"', ""))
    assert server.answers()
