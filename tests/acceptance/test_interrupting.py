"""Ctrl-C and SIGTERM while the server is frozen: every command ends soon, with advice."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.client.state.session_directory import SessionDirectory
from chatbooth_grpc.client.state.session_file import SavedSession
from tests.acceptance.processes import CommandLine, ServerProcess
from tests.acceptance.seats import Seat
from tests.waiting import wait_until

PATIENCE = 60.0

BOUND = 4.0
"""The seconds until a command has ended. It takes less than one, but the machine may be busy."""

COMMANDS: dict[str, tuple[list[str], str]] = {
    "signup": (["signup", "ben"], "Whether the account was made is not known."),
    "login": (["login", "ann"], ""),
    "logout": (["logout"], ""),
    "whoami": (["whoami"], ""),
    "passwd": (["passwd"], "Whether the password was changed is not known."),
    "list": (["list"], ""),
    "send": (["send", "ann", "tea?"], "Whether it was stored is not known; to have it sent once, type:"),
    "send --from-file": (["send", "--from-file", "FILE"], "0 sent so far. The same command"),
    "deliver": (["deliver"], ""),
    "listen": (["listen"], "Still queued: 1."),
    "outbox --send": (["outbox", "--send"], "Still queued: 1."),
    "blocks": (["blocks", "--add", "ben"], ""),
    "sessions --end": (["sessions", "--end", "9"], "Whether the session was ended is not known."),
    "token": (["token", "create", "bot", "--read"], "Whether the token was made is not known, and its secret is lost."),
    "trust": (["--server", "TLS", "trust"], ""),
    "delete": (["delete", "--yes"], "Whether ann was deleted is not known."),
    "menu": ([], "Whether it was stored is not known"),
}
"""Each command that calls the server, and its words for an unknown outcome.

FILE stands for a file of messages, and TLS for the server's address with TLS.
"""


class CallingSeat(Seat):
    """Ann, logged in, with a message in the outbox, who starts commands that call the server."""

    def __init__(self, server: ServerProcess, wire: str, folder: Path) -> None:
        address = server.addresses[wire]
        super().__init__(address, folder / "state")
        self.chatbooth.variables["CHATBOOTH_NEW_PASSWORD"] = "another password"
        self.file = folder / "messages.jsonl"
        self.file.write_text(json.dumps({"recipient": "ann", "text": "from a file"}) + "\n")
        self._port = int(address.rpartition(":")[2])
        place = address.rpartition("/")[2]
        self._words = {"FILE": str(self.file), "TLS": f"{wire}+tls://{place}"}

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """Start a command, and wait until it has a connection."""
        running = self.chatbooth.start(*[self._words.get(word, word) for word in COMMANDS[command][0]])
        if command == "menu":
            assert running.stdin is not None
            running.stdin.write(b"3\nann\ntea?\n")
            running.stdin.flush()
        wait_until(lambda: self.is_connected(running.pid))
        return running

    def is_connected(self, pid: int) -> bool:
        """Return whether a process has a connection to the server."""
        return has_connection(pid, self._port, ESTABLISHED)


ESTABLISHED, SYN_SENT = "01", "02"


def has_connection(pid: int, port: int, state: str) -> bool:
    """Return whether a process has a connection to a port in this state, from the system's tables."""
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    lines = [line.split() for table in tables for line in table]
    sockets = {line[9] for line in lines if line[3] == state and int(line[2].rpartition(":")[2], 16) == port}
    return not sockets.isdisjoint(own_sockets(pid))


def own_sockets(pid: int) -> set[str]:
    """Return the numbers of the sockets that a process holds."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(str(link.readlink()).removeprefix("socket:[").removesuffix("]"))
    return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Return a server of the test's own, on both wires."""
    running = ServerProcess(tmp_path / "chatbooth.db", flags=["--wire-port", "0"])
    yield running
    running.end()


@pytest.mark.parametrize("wire", ["grpc", "wire"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_every_command_ends_soon_and_reports_an_unknown_outcome(
    server: ServerProcess, tmp_path: Path, wire: str, number: signal.Signals
) -> None:
    seat = CallingSeat(server, wire, tmp_path)
    server.freeze()
    took: dict[str, float] = {}
    for command, (_, words) in COMMANDS.items():
        running = seat.start(command)
        started = time.monotonic()
        running.send_signal(number)
        _, err = running.communicate(timeout=PATIENCE)
        took[command] = time.monotonic() - started
        assert running.returncode == 128 + number, (command, err)
        assert words in err.decode(), (command, err)
        assert b"Traceback" not in err, (command, err)
    assert max(took.values()) < BOUND, took
    server.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("wire", ["grpc", "wire"])
def test_a_program_gets_the_command_that_repeats_a_call_in_flight(
    server: ServerProcess, tmp_path: Path, wire: str
) -> None:
    seat = CallingSeat(server, wire, tmp_path)
    server.freeze()
    running = seat.chatbooth.start("--json", "send", "ann", "tea?")
    wait_until(lambda: seat.is_connected(running.pid))
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=PATIENCE)
    record = json.loads(err)
    assert (out, record["error"], record["exit_code"]) == (b"", "INTERRUPTED", 130)
    server.send_signal(signal.SIGCONT)
    for _ in range(2):
        again = seat.chatbooth("send", "--message-id", record["details"]["message_id"], "ann", "tea?")
        assert again.code == 0
    assert seat.chatbooth("deliver").out.count("tea?") == 1


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Return a port that does not even refuse a connection: its queue of connections is full."""
    with socket.socket() as listener, contextlib.ExitStack() as waiting:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize("scheme", ["", "wire://"])
@pytest.mark.parametrize("command", ["listen", "send", "outbox --send"])
def test_an_address_that_does_not_answer_delays_no_command(
    silent_port: int, tmp_path: Path, scheme: str, command: str
) -> None:
    chatbooth = CommandLine(f"{scheme}127.0.0.1:{silent_port}", tmp_path / "state")
    sessions = SessionDirectory(tmp_path / "state" / "chatbooth", chatbooth.server)
    sessions.save(SavedSession(chatbooth.server, Session(b"t" * 16, 7, "ann", b"e" * 16)))
    started = time.monotonic()
    assert [record["type"] for record in chatbooth("send", "--queue", "ann", "tea?", "--json").records] == ["queued"]
    assert time.monotonic() - started < BOUND
    words, said = COMMANDS[command]
    running = chatbooth.start(*words)
    wait_until(lambda: has_connection(running.pid, silent_port, SYN_SENT))
    running.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, err = running.communicate(timeout=PATIENCE)
    assert time.monotonic() - started < BOUND
    assert (running.returncode, said in err.decode()) == (130, True), err


def test_an_interrupt_while_the_command_starts_ends_without_a_traceback(tmp_path: Path) -> None:
    """The start of a command is mostly imports. A module that waits makes it longer here."""
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "grpc.py").write_text("print('ready', flush=True)\nimport time\ntime.sleep(60)\n")
    command = CommandLine("127.0.0.1:1", tmp_path / "state")
    command.variables["PYTHONPATH"] = str(tmp_path / "slow")
    running = command.start("login", "ann")
    assert running.stdout is not None
    assert running.stdout.readline() == b"ready\n"
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, out, err) == (130, b"", b"")
