"""`listen` and `send --queue` as processes, while the server stops and starts."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.processes import CommandLine, ServerProcess

AWAY_SECONDS = float(os.environ.get("CHATBOOTH_TEST_AWAY", "2"))
PATIENCE = 60.0


class Listener:
    """A running `listen`, and its output so far."""

    def __init__(self, command: CommandLine, *words: str) -> None:
        self.process = command.start(*words)
        self.out: list[str] = []
        self.err: list[str] = []
        self._news = threading.Condition()
        self._threads = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for thread in self._threads:
            thread.start()

    def wait_for(self, holds: Callable[[], bool]) -> None:
        """Wait until the output satisfies a condition."""
        with self._news:
            assert self._news.wait_for(holds, PATIENCE), (self.out, self.err)

    def texts(self) -> list[str]:
        """Return the texts shown so far."""
        return [line.partition("ann: ")[2].strip() for line in self.out]

    def end(self, number: signal.Signals) -> int:
        """End it by a signal, and return its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()
        return code

    def _read(self, stream: object, lines: list[str]) -> None:
        for line in stream:  # type: ignore[attr-defined]  # a pipe
            with self._news:
                lines.append(line.decode())
                self._news.notify_all()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[ServerProcess, CommandLine]]:
    """Return a server of the test's own, where ann and ben are logged in."""
    server = ServerProcess(tmp_path / "chatbooth.db")
    command = CommandLine(server.address, tmp_path / "state")
    assert command("signup", "ann").code == 0
    assert command("signup", "ben").code == 0
    yield server, command
    if server._process.poll() is None:
        server.end()


def test_messages_are_shown_as_they_come_and_acknowledged(place: tuple[ServerProcess, CommandLine]) -> None:
    _, command = place
    command("--as", "ann", "send", "ben", "before")
    listener = Listener(command, "--as", "ben", "listen")
    listener.wait_for(lambda: listener.texts() == ["before"])
    command("--as", "ann", "send", "ben", "meanwhile")
    listener.wait_for(lambda: listener.texts() == ["before", "meanwhile"])
    assert "messages waiting: 1" in listener.err[0]
    assert listener.end(signal.SIGINT) == 130
    assert command("--as", "ben", "deliver").out == ""


def test_a_killed_listener_does_not_repeat_what_it_has_shown(place: tuple[ServerProcess, CommandLine]) -> None:
    _, command = place
    listener = Listener(command, "--as", "ben", "listen")
    listener.wait_for(lambda: bool(listener.err))
    command("--as", "ann", "send", "ben", "shown")
    listener.wait_for(lambda: listener.texts() == ["shown"])
    command("--as", "ann", "send", "ben", "and one more")
    # So the first one was noted as shown.
    listener.wait_for(lambda: len(listener.texts()) == 2)
    listener.end(signal.SIGKILL)
    command("--as", "ann", "send", "ben", "later")
    again = [line.partition("ann: ")[2] for line in command("--as", "ben", "deliver").out.splitlines()]
    # The last one may come again, if it was not noted yet.
    assert again in (["later"], ["and one more", "later"])


def test_listen_shows_all_messages_although_the_server_goes_away(
    place: tuple[ServerProcess, CommandLine], tmp_path: Path
) -> None:
    server, command = place
    listener = Listener(command, "--as", "ben", "listen")
    listener.wait_for(lambda: bool(listener.err))
    command("--as", "ann", "send", "--queue", "ben", "first")
    server.end(signal.SIGKILL)
    listener.wait_for(lambda: any("reconnecting" in line for line in listener.err))
    queued = [command("--as", "ann", "--timeout", "0.5", "send", "--queue", "ben", f"away {n}") for n in range(3)]
    assert [done.code for done in queued] == [0, 0, 0]
    assert all("is queued" in done.err for done in queued)
    assert len(command("--as", "ann", "outbox").out.splitlines()) == 3
    # The time itself is tested.
    threading.Event().wait(AWAY_SECONDS)
    back = ServerProcess(tmp_path / "chatbooth.db", server.port)
    done = command("--as", "ann", "send", "--queue", "ben", "back")
    assert (done.code, done.err.count("Sent to ben")) == (0, 4)
    expected = ["first", "away 0", "away 1", "away 2", "back"]
    listener.wait_for(lambda: len(listener.texts()) >= len(expected))
    listener.wait_for(lambda: any("Connected again" in line for line in listener.err))
    assert listener.texts() == expected
    assert sum("reconnecting" in line for line in listener.err) == 1
    assert command("--as", "ann", "outbox").out == ""
    listener.end(signal.SIGINT)
    back.end()


def test_a_running_listen_sends_the_messages_of_the_outbox(
    place: tuple[ServerProcess, CommandLine], tmp_path: Path
) -> None:
    server, command = place
    server.end(signal.SIGTERM)
    command("--as", "ann", "--timeout", "0.5", "send", "--queue", "ben", "waiting")
    listener = Listener(command, "--as", "ann", "listen")
    back = ServerProcess(tmp_path / "chatbooth.db", server.port)
    listener.wait_for(lambda: any("Sent to ben" in line for line in listener.err))
    listener.end(signal.SIGINT)
    assert "ann: waiting" in command("--as", "ben", "deliver").out
    back.end()


def test_a_refused_message_is_kept_until_it_is_dropped(place: tuple[ServerProcess, CommandLine]) -> None:
    _, command = place
    assert "Not sent to nemo" in command("--as", "ann", "send", "--queue", "nemo", "hello?").err
    [record] = command("--as", "ann", "--json", "outbox").records
    assert (record["type"], record["text"]) == ("refused", "hello?")
    assert command("--as", "ann", "outbox", "--drop", record["message_id"]).out == ""
    assert command("--as", "ann", "outbox", "--drop", record["message_id"]).code == 2


def test_listen_ends_after_the_wanted_number_of_messages(place: tuple[ServerProcess, CommandLine]) -> None:
    _, command = place
    for text in ("one", "two", "three"):
        command("--as", "ann", "send", "ben", text)
    shown = command("--as", "ben", "--json", "listen", "--max", "2")
    assert [record["text"] for record in shown.records] == ["one", "two"]
    assert "three" in command("--as", "ben", "deliver").out


@pytest.mark.parametrize("command_of_second", ["listen", "deliver"])
def test_a_second_listener_is_refused_at_once(place: tuple[ServerProcess, CommandLine], command_of_second: str) -> None:
    _, command = place
    listener = Listener(command, "--as", "ben", "listen")
    listener.wait_for(lambda: bool(listener.err))
    second = command("--as", "ben", "--timeout", "3600", command_of_second)
    assert second.code == 1
    assert f"Another command, listen (process {listener.process.pid}), is delivering for ben" in second.err
    listener.end(signal.SIGINT)


def test_an_ended_session_ends_listen(place: tuple[ServerProcess, CommandLine], tmp_path: Path) -> None:
    server, command = place
    listener = Listener(command, "--as", "ben", "listen")
    listener.wait_for(lambda: bool(listener.err))
    elsewhere = CommandLine(server.address, tmp_path / "elsewhere")
    elsewhere("login", "ben")
    elsewhere("passwd", CHATBOOTH_NEW_PASSWORD="another password")
    assert listener.process.wait(PATIENCE) == 3
    listener.wait_for(lambda: any("has ended" in line for line in listener.err))
    listener.end(signal.SIGTERM)
