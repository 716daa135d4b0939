"""`send --queue` as processes: after any end the message was reported and arrives once."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.processes import CommandLine, ServerProcess
from tests.waiting import wait_until

PATIENCE = 60.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Return a server of the test's own, on both wires."""
    running = ServerProcess(tmp_path / "chatbooth.db", flags=["--wire-port", "0"])
    yield running
    running.end()


@pytest.fixture(params=["grpc", "wire"])
def ann(server: ServerProcess, tmp_path: Path, request: pytest.FixtureRequest) -> CommandLine:
    """Return ann's command line, over one wire, then over the other."""
    command = CommandLine(server.addresses[request.param], tmp_path / "state")
    assert command("signup", "ann").code == 0
    return command


def texts(command: CommandLine) -> list[str]:
    """Return the texts that wait for ann."""
    return [record["text"] for record in command("deliver", "--json").records]


def sent_at_last(command: CommandLine) -> list[str]:
    """Return the texts that wait for ann after all queued messages were sent."""
    assert command("outbox", "--send").code == 0
    return texts(command)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_after_any_end_the_queued_message_was_reported_and_arrives_once(
    server: ServerProcess, ann: CommandLine, number: signal.Signals
) -> None:
    server.freeze()
    sending = ann.start("send", "--queue", "ann", "tea?")
    assert sending.stderr is not None
    words = sending.stderr.readline().decode()
    assert re.fullmatch(r"The message to ann is queued, id [0-9a-f]{32}\.\n", words)
    sending.send_signal(number)
    sending.communicate(timeout=PATIENCE)
    assert sending.returncode in (-number, 128 + number)
    server.send_signal(signal.SIGCONT)
    assert sent_at_last(ann) == ["tea?"]


@pytest.mark.parametrize("state", ["frozen", "down"])
def test_the_command_does_not_wait_for_a_server_that_is_away(
    server: ServerProcess, ann: CommandLine, state: str
) -> None:
    server.freeze() if state == "frozen" else server.end()
    started = time.monotonic()
    done = ann("send", "--queue", "--json", "ann", "tea?")
    # The limit was ten seconds, and the machine may be busy.
    assert time.monotonic() - started < 5.0
    assert (done.code, [record["type"] for record in done.records]) == (0, ["queued"])
    server.send_signal(signal.SIGCONT) if state == "frozen" else None


def test_each_of_many_commands_at_once_reports_the_outcome_of_its_message(ann: CommandLine) -> None:
    running = [ann.start("--json", "send", "--queue", "ann", str(number)) for number in range(6)]
    said = [each.communicate(timeout=PATIENCE)[0].decode() for each in running]
    assert [each.returncode for each in running] == [0] * len(running)
    assert all('"type": "queued"' in words for words in said)
    assert sorted(sent_at_last(ann), key=int) == [str(number) for number in range(len(running))]


def test_after_an_ended_session_the_exit_code_says_so_and_the_message_stays_queued(
    server: ServerProcess, ann: CommandLine, tmp_path: Path
) -> None:
    elsewhere = CommandLine(ann.server, tmp_path / "elsewhere")
    elsewhere("login", "ann")
    elsewhere("passwd", CHATBOOTH_NEW_PASSWORD="another password")
    done = ann("send", "--queue", "--json", "ann", "tea?")
    assert (done.code, [record["type"] for record in done.records]) == (3, ["queued"])
    ann("login", "ann", CHATBOOTH_PASSWORD="another password")
    assert sent_at_last(ann) == ["tea?"]


def test_the_exit_code_is_that_of_the_outcome(ann: CommandLine) -> None:
    refused = ann("send", "--queue", "nemo", "hi")
    assert (refused.code, refused.err.count("Not sent to nemo")) == (5, 1)
    for _ in range(2):
        assert ann("send", "--queue", "--message-id", "1" * 32, "ann", "tea?").code == 0
    assert ann("send", "--queue", "--message-id", "1" * 32, "ann", "cake?").code == 1
    assert ann("send", "--queue", "ann", b"caf\xe9".decode(errors="surrogateescape")).code == 2
    assert texts(ann) == ["tea?"]
    assert ann("outbox", "--send").code == 0


def test_an_interrupted_command_ends_within_its_grace(server: ServerProcess, ann: CommandLine) -> None:
    server.freeze()
    sending = ann.start("outbox", "--send")
    sending.terminate()
    assert wait_until(lambda: sending.poll() is not None) < 5.0
    sending.communicate()
    server.send_signal(signal.SIGCONT)
