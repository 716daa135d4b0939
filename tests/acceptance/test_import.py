"""`send --from-file` as processes, on both wires: after any kill all lines arrive once."""

from __future__ import annotations

import json
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from chatbooth_grpc.client import ChatClient
from tests.acceptance.processes import CLIENT, PASSWORD, CommandLine
from tests.acceptance.watched_server import PATIENCE, WatchedServer
from tests.waiting import wait_until

LINES = 20_000
TEXTS = [f"{number}: {'x' * 1_500}" for number in range(LINES)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file of many messages to ann."""
    path = tmp_path / "messages.jsonl"
    path.write_text("".join(json.dumps({"recipient": "ann", "text": text}) + "\n" for text in TEXTS))
    return path


class Booth:
    """A server that can be killed and started again, and ann, who is logged in there."""

    def __init__(self, folder: Path, wire: str) -> None:
        self._folder = folder
        # A repeated run sends more than the default allows at once.
        self.server = WatchedServer(folder, "--sends-per-account", "0")
        self.address = self.server.addresses[wire]
        self.chatbooth = CommandLine(self.address, folder / "state")
        assert self.chatbooth("signup", "ann").code == 0
        self._client = ChatClient.connect(self.address)
        self._client.log_in("ann", PASSWORD)

    def kill_and_restart(self) -> None:
        self.server.process.kill()
        self.server.process.wait(PATIENCE)
        self.server = WatchedServer(self._folder, *self.server.ports, "--sends-per-account", "0")

    def stored(self) -> int:
        """Return how many messages are in ann's mailbox."""
        return self._client.deliver(after=0, max_messages=1).opening.replaying

    def texts(self) -> list[str]:
        """Return all texts in ann's mailbox."""
        return [message.text for message in self._client.messages(after=0)]

    def close(self) -> None:
        self._client.close()
        self.server.stop()


@pytest.fixture(params=["grpc", "wire"])
def booth(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Booth]:
    running = Booth(tmp_path, request.param)
    yield running
    running.close()


def ended(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out.decode(), err.decode()


def test_after_any_kill_each_line_is_stored_once_and_in_order(booth: Booth, file: Path) -> None:
    first = booth.chatbooth.start("send", "--from-file", str(file))
    wait_until(lambda: booth.stored() >= 2_000)
    first.kill()
    ended(first)
    before = booth.stored()
    assert before < LINES

    second = booth.chatbooth.start("send", "--from-file", str(file), "--timeout", "60")
    wait_until(lambda: booth.stored() >= before + 2_000)
    booth.kill_and_restart()
    code, out, err = ended(second)
    assert (code, out) == (0, "")
    lost, summary = err.splitlines()
    assert "Trying again, for up to 60 s…" in lost
    assert summary == "20,000 sent."
    assert booth.texts() == TEXTS

    third = booth.chatbooth("send", "--from-file", str(file), "--json")
    assert (third.code, third.records, third.err) == (0, [{"sent": LINES, "failed": 0}], "")
    assert booth.stored() == LINES


def test_an_interrupted_run_reports_its_progress_and_resumes(booth: Booth, file: Path) -> None:
    running = booth.chatbooth.start("send", "--from-file", str(file))
    wait_until(lambda: booth.stored() >= 2_000)
    running.send_signal(signal.SIGINT)
    code, out, err = ended(running)
    assert (code, out) == (130, "")
    assert err.endswith(" sent so far. The same command, with the file unchanged, goes on where this one stopped.\n")
    assert err.count("\n") == 1
    assert int(err.split()[0].replace(",", "")) <= booth.stored() < LINES
    assert booth.chatbooth("send", "--from-file", str(file)).err == "20,000 sent.\n"
    assert booth.texts() == TEXTS


def test_a_text_over_the_servers_limit_fails_alone(booth: Booth, tmp_path: Path) -> None:
    sizes = [3, 1_000_000, 1_100_000, 3_000_000, 5, (16 << 20) + 1, 7]
    path = tmp_path / "sizes.jsonl"
    path.write_text("".join(json.dumps({"recipient": "ann", "text": "x" * size}) + "\n" for size in sizes))
    done = booth.chatbooth("send", "--from-file", str(path), "--json")
    assert done.code == 1
    *failed, summary = done.records
    assert summary == {"sent": 4, "failed": 3}
    assert {record["line"]: record["error"] for record in failed} == {
        3: "TEXT_TOO_LONG",
        4: "REQUEST_TOO_LARGE",
        6: "TEXT_TOO_LONG",
    }
    assert [len(text) for text in booth.texts()] == [3, 1_000_000, 5, 7]


def test_if_the_server_stays_away_the_error_reports_the_progress(booth: Booth, file: Path) -> None:
    running = booth.chatbooth.start("send", "--from-file", str(file), "--timeout", "1")
    wait_until(lambda: booth.stored() >= 2_000)
    booth.server.process.kill()
    code, _, err = ended(running)
    booth.kill_and_restart()
    assert code == 4
    lost, far, error = err.splitlines()
    assert "Trying again, for up to 1 s…" in lost
    assert " sent so far. The same command" in far
    assert error.startswith("chatbooth: No connection to ")
    assert int(far.split()[0].replace(",", "")) <= booth.stored()


def test_a_closed_pipe_ends_the_run(chatbooth: CommandLine, tmp_path: Path) -> None:
    name = f"pip-{uuid.uuid4().hex[:12]}"
    assert chatbooth("signup", name).code == 0
    path = tmp_path / "bad.jsonl"
    path.write_text("oh\n" * 100_000)
    running = chatbooth.start("send", "--from-file", str(path), "--json")
    assert running.stdout is not None
    running.stdout.close()
    assert running.wait(PATIENCE) == 141
    for stream in (running.stdin, running.stderr):
        assert stream is not None
        stream.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of forkpty:DeprecationWarning")
def test_a_terminal_shows_the_progress(booth: Booth, file: Path) -> None:
    environment = {**booth.chatbooth.environment(), "TERM": "xterm"}
    words = [*CLIENT[1:], "send", "--from-file", str(file)]
    child = pexpect.spawn(CLIENT[0], words, env=environment, encoding="utf-8", timeout=60, dimensions=(24, 80))
    child.expect(r"\r[\d,]+ sent, \d+%, [\d,]+/s")
    child.expect(r"\r +\r20,000 sent\.\r\n")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
