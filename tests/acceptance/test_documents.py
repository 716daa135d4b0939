"""The examples of the README and the documents: the tests run them unchanged."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from chatbooth_grpc.client import ChatClient
from tests.acceptance.documents import ROOT, Command, blocks, commands, pattern
from tests.acceptance.processes import PASSWORD, ServerProcess, environment
from tests.waiting import wait_until

pytestmark = pytest.mark.filterwarnings(
    # The child of pexpect becomes another program at once.
    "ignore:.*multi-threaded, use of forkpty:DeprecationWarning"
)

PATIENCE = 60.0
DOCUMENTED = "127.0.0.1:50051"
"""The address in the documents; a test's server has another port."""

README = [commands(block) for block in blocks("README.md", "console")]
_CONTROL = r"\x1b\[[?0-9;]*[A-Za-z]"
PROMPT = re.compile(r"^(?P<question>(?:Password|The same again).*:|.*\[y/N\]) ?(?P<answer>.*)$")


def shown_before(child: pexpect.spawn[str]) -> str:
    """Return the terminal's text above the awaited one. Progress lines are overwritten."""
    plain = re.sub(_CONTROL, "", child.before or "")
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in plain.split("\n")).strip()


class Visitor:
    """A person who types the README's commands at a terminal, in a folder with its scripts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = DOCUMENTED
        self._started: list[pexpect.spawn[str]] = []
        (folder / "scripts").mkdir()
        for script, module in (("client.sh", "chatbooth_grpc.client"), ("serve.sh", "chatbooth_grpc.server")):
            # The README sets up an environment first. The tests use their own.
            path = folder / "scripts" / script
            path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
            path.chmod(0o755)

    def types(self, command: Command) -> pexpect.spawn[str]:
        """Type a command and answer its questions. Check that it shows the expected lines and nothing before them."""
        child = self.start(command.typed)
        for line in command.shown:
            prompt = PROMPT.match(line)
            child.expect(pattern(self._here(prompt["question"] if prompt else line)))
            assert shown_before(child) == "", f"{command.typed}, before {line!r}"
            if prompt:
                child.sendline(prompt["answer"] or PASSWORD)
                child.expect(rf"{prompt['answer']}(?:{_CONTROL})*\r\n")
        return child

    def types_to_the_end(self, command: Command) -> None:
        """Type a command. Check that it shows the expected lines and nothing else until it ends."""
        child = self.types(command)
        child.expect(pexpect.EOF)
        assert shown_before(child) == "", command.typed
        child.close()

    def leave(self) -> None:
        """End everything that runs."""
        for child in self._started:
            child.close(force=True)

    def _here(self, words: str) -> str:
        return words.replace(DOCUMENTED, self.address)

    def start(self, typed: str) -> pexpect.spawn[str]:
        """Start a typed command at a terminal of its own."""
        settings = {
            **environment(),
            "CHATBOOTH_CLIENT_COMMAND": "scripts/client.sh",
            "CHATBOOTH_PORT": self.address.rpartition(":")[2] if self.address != DOCUMENTED else "0",
            "CHATBOOTH_SERVER": self.address,
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm",
            "XDG_STATE_HOME": str(self.folder / "state"),
        }
        child = pexpect.spawn(
            shutil.which("bash") or "bash",
            ["-c", typed],
            cwd=self.folder,
            env=settings,
            encoding="utf-8",
            timeout=PATIENCE,
            dimensions=(24, 300),
        )
        self._started.append(child)
        return child


@pytest.fixture
def visitor(tmp_path: Path) -> Iterator[Visitor]:
    one = Visitor(tmp_path)
    yield one
    one.leave()


def test_the_first_five_minutes_work_as_the_readme_shows(visitor: Visitor) -> None:
    [[serve], *others] = README[: _index_of("delete") + 1]
    serve.shown = [line for line in serve.shown if not re.match("chatbooth: (making|installing)|chatbooth_grpc", line)]
    server = _served(visitor, serve)
    for block in others:
        for command in block:
            if command.typed.startswith("cat "):
                (visitor.folder / command.typed.removeprefix("cat ")).write_text("\n".join(command.shown) + "\n")
            if "--queue" in command.typed:  # "While the server is away"
                _ends_by(server, signal.SIGTERM)
            if command.typed.endswith(" listen"):
                _ends_by(visitor.types(command), signal.SIGINT)
            else:
                visitor.types_to_the_end(command)
            if "--queue" in command.typed:
                server = _served(visitor, serve)


def _index_of(word: str) -> int:
    [index] = [number for number, block in enumerate(README) if any(word in command.typed for command in block)]
    return index


def _served(visitor: Visitor, serve: Command) -> pexpect.spawn[str]:
    """Start the server as the README shows, and note its address."""
    first = serve.shown[0].replace(DOCUMENTED, visitor.address)
    child = visitor.start(serve.typed)
    child.expect(pattern(first).replace(re.escape(":50051"), r":(\d+)"))
    if visitor.address == DOCUMENTED:
        assert isinstance(child.match, re.Match)
        visitor.address = f"127.0.0.1:{child.match[1]}"
    for line in serve.shown[1:]:
        child.expect_exact(visitor._here(line))
    return child


def _ends_by(child: pexpect.spawn[str], number: signal.Signals) -> None:
    child.kill(number)
    child.expect(pexpect.EOF)
    child.close()


# Programs


def test_the_readmes_first_program_sends_listens_and_prints(tmp_path: Path) -> None:
    [program] = [block for block in blocks("README.md", "python") if "log_in" in block]
    server = ServerProcess(tmp_path / "chatbooth.db")
    try:
        with ChatClient.connect(server.address) as bob:
            bob.sign_up("alice", "a good password")
            bob.sign_up("bob", PASSWORD)
            printed = tmp_path / "printed"
            with printed.open("w") as out:
                command = [sys.executable, "-u", "-c", program.replace(DOCUMENTED, server.address)]
                running = subprocess.Popen(command, env={**environment(), "PYTHONPATH": str(ROOT)}, stdout=out)
            try:
                wait_until(lambda: [message.text for message in bob.messages(after=0)] == ["Hello!"])
                bob.send("alice", "Good morning")
                wait_until(lambda: printed.read_text() == "bob Good morning\n")
            finally:
                running.kill()
                running.wait()
    finally:
        server.end()


# Documents


def test_the_wire_protocol_can_be_typed_by_hand_as_its_page_shows(tmp_path: Path) -> None:
    [serve, speak] = commands(blocks("docs/wire-protocol.md", "console")[0])
    assert serve.typed == "python main.py --server --port 8080 &"
    words, _, dump = speak.typed.partition(" | nc -q 1 127.0.0.1 8080 | ")
    assert dump == "xxd"
    request = subprocess.run([shutil.which("bash") or "bash", "-c", words], capture_output=True, check=True).stdout
    server = ServerProcess(tmp_path / "chatbooth.db", flags=["--wire-port", "0"])
    try:
        host, _, port = server.addresses["wire"].removeprefix("wire://").rpartition(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as connected:
            connected.sendall(request)
            assert connected.recv(7) == bytes.fromhex("01 0a 00 00 00 28 00")
    finally:
        server.end()


def test_the_filter_of_failed_log_ins_finds_the_line_that_the_page_shows() -> None:
    page = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    shipped = (ROOT / "deploy" / "fail2ban" / "filter.conf").read_text(encoding="utf-8")
    [rule] = re.findall(r"^failregex = (.*)$", shipped, re.MULTILINE)
    [line] = re.findall(r"^```\n(.* log-in failed .*)\n```$", page, re.MULTILINE)
    found = re.search(rule.replace("<HOST>", r"(?P<host>[\d.:a-f]+?)"), line)
    assert found is not None
    assert found["host"] == "192.0.2.7"


PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md"))


def test_every_script_and_module_that_a_page_names_exists() -> None:
    pages = [(ROOT / page).read_text(encoding="utf-8") for page in ("README.md", *PAGES)]
    scripts = {name for page in pages for name in re.findall(r"\bscripts/\w+\.(?:sh|py)", page)}
    modules = {name for page in pages for name in re.findall(r"-m ((?:bench|tests|chatbooth_grpc)[\w.]*\w)", page)}
    assert {"scripts/serve.sh", "scripts/client.sh"} <= scripts
    assert {"chatbooth_grpc.server", "bench.performance"} <= modules
    assert [name for name in scripts if not os.access(ROOT / name, os.X_OK if name.endswith(".sh") else os.R_OK)] == []
    assert [name for name in modules if not _is_there(name)] == []


def _is_there(module: str) -> bool:
    path = ROOT / module.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__main__.py").exists()
