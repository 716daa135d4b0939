"""The README's bot, killed at random moments, answers each message once, in one session."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

from chatbooth_grpc.client import ChatClient, MessageBatch, Receipt
from chatbooth_grpc.client.state.kept_session import KeptSession
from tests.acceptance.documents import ROOT, blocks
from tests.acceptance.processes import PASSWORD, ServerProcess, environment
from tests.waiting import wait_until

MESSAGES = int(os.environ.get("CHATBOOTH_TEST_BOT_MESSAGES", "200"))
KILLS = int(os.environ.get("CHATBOOTH_TEST_BOT_KILLS", "3"))
SEED = os.environ.get("CHATBOOTH_TEST_BOT_SEED", "")
"""How many messages the bot answers, how often it is killed, and the seed. The full size is 1500 and 8."""

PATIENCE = 90.0


class Server:
    """A server on one wire, which can be killed and started again on the same port."""

    def __init__(self, store: Path, wire: str) -> None:
        self.store = store
        self._running = ServerProcess(store, flags=["--wire-port", "0"])
        self._flags = ["--wire-port", self._running.addresses["wire"].rpartition(":")[2]]
        self.address = self._running.addresses[wire]

    def kill_and_start_again(self) -> None:
        """Kill it, as by `kill -9`, and start another in its place."""
        self._running.end(signal.SIGKILL)
        self._running = ServerProcess(self.store, self._running.port, self._flags)

    def back_up(self, backup: Path) -> None:
        """Copy its store by SQLite's own backup."""
        with (
            closing(apsw.Connection(str(self.store))) as source,
            closing(apsw.Connection(str(backup))) as target,
            target.backup("main", source, "main") as copying,
        ):
            copying.step()

    def restore(self, backup: Path) -> None:
        """Kill it, put back a copy of its store with another epoch, and start another in its place."""
        self._running.end(signal.SIGKILL)
        for file in self.store.parent.glob(f"{self.store.name}*"):
            file.unlink()
        shutil.copy(backup, self.store)
        with closing(apsw.Connection(str(self.store))) as database:
            database.execute("UPDATE store SET epoch = randomblob(16)")
        self._running = ServerProcess(self.store, self._running.port, self._flags)

    def end(self) -> None:
        """Stop it."""
        self._running.end(signal.SIGTERM)


class Bot:
    """The bot under a supervisor that starts it again each time that it ends."""

    def __init__(self, folder: Path, program: str, address: str) -> None:
        self.killed = 0
        self.wrote = folder / "stderr"
        self._program = folder / "echo_bot.py"
        self._program.write_text(program)
        self._folder = folder
        self._command = [sys.executable, str(self._program), address]
        self._process = self._start()
        self._ending = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise)
        self._supervisor.start()

    def kill(self, *, again_after: float | None) -> None:
        """Kill the bot, as by `kill -9`, and the next one too, this many seconds later."""
        self._kill_running()
        if again_after is not None:
            # This waits for nothing. The moment of the second kill is drawn, so that it meets the bot at any place.
            time.sleep(again_after)
            self._kill_running()

    def end(self) -> None:
        """Stop the bot, and start no other."""
        self._ending.set()
        self._process.kill()
        self._supervisor.join(PATIENCE)

    def _kill_running(self) -> None:
        wait_until(lambda: self._process.poll() is None)
        running = self._process
        running.kill()
        running.wait()
        self.killed += 1

    def _start(self) -> subprocess.Popen[bytes]:
        settings = {**environment(), "ECHO_PASSWORD": PASSWORD, "PYTHONPATH": str(ROOT)}
        with self.wrote.open("ab") as stderr:
            return subprocess.Popen(self._command, cwd=self._folder, env=settings, stderr=stderr)

    def _supervise(self) -> None:
        while True:
            self._process.wait()
            if self._ending.wait(0.05):
                return
            self._process = self._start()
            if self._ending.is_set():
                self._process.kill()


@contextmanager
def echo_bot(folder: Path, address: str) -> Iterator[Bot]:
    """Run the README's bot."""
    folder.mkdir(exist_ok=True)
    [program] = [block for block in blocks("README.md", "python") if "reply_id" in block]
    bot = Bot(folder, program, address)
    try:
        yield bot
    finally:
        bot.end()


@contextmanager
def signed_up(address: str) -> Iterator[ChatClient]:
    """Return a client that acts for ann. The bot has an account without a session."""
    with ChatClient.connect(address, timeout=PATIENCE) as ann:
        ann.sign_up("echo", PASSWORD)
        ann.log_out()
        ann.sign_up("ann", PASSWORD)
        yield ann


def sessions_of(store: Path, username: str) -> object:
    """Return the number of an account's sessions in the store."""
    return _asked(store, "SELECT count(*) FROM sessions JOIN accounts USING (account_id)", username)


def cursor_of(store: Path, username: str) -> int:
    """Return the highest sequence that any session of an account has acknowledged."""
    cursor = _asked(store, "SELECT max(cursor) FROM sessions JOIN accounts USING (account_id)", username)
    return cursor if isinstance(cursor, int) else 0


def _asked(store: Path, query: str, username: str) -> object:
    with closing(apsw.Connection(str(store))) as database:
        [(value,)] = database.execute(f"{query} WHERE username = ?", (username,))
        return value


@dataclass
class Weather:
    """The faults, and when they come: after which numbers of echoes the bot or the server is killed."""

    chance: random.Random
    bot_killed_at: set[int]
    server_killed_at: int

    @classmethod
    def of(cls, seed: str) -> Weather:
        chance = random.Random(seed)
        return cls(chance, set(chance.sample(range(1, MESSAGES), KILLS)), chance.randrange(1, MESSAGES))


@pytest.mark.parametrize("wire", ["grpc", "wire"])
def test_each_message_is_answered_once_although_bot_and_server_are_killed(tmp_path: Path, wire: str) -> None:
    server = Server(tmp_path / "chatbooth.db", wire)
    weather = Weather.of(f"{wire} {SEED}")
    texts = [f"message {number}" for number in range(MESSAGES)]
    try:
        with signed_up(server.address) as ann, echo_bot(tmp_path / "bot", server.address) as bot:
            _send(ann, texts)
            _listen_through(weather, ann, bot, server)
            wait_until(lambda: cursor_of(server.store, "echo") == MESSAGES, PATIENCE)
            bot.end()
            echoes = [message.text for message in ann.messages(after=0)]
    finally:
        server.end()
    assert bot.killed >= KILLS
    assert Counter(Counter(echoes).values()) == {1: MESSAGES}
    assert echoes == texts
    assert sessions_of(server.store, "echo") == 1
    assert (tmp_path / "bot" / "echo.state").stat().st_mode & 0o777 == 0o600


def _listen_through(weather: Weather, ann: ChatClient, bot: Bot, server: Server) -> None:
    """Take echoes until each message has one, and let the faults happen."""
    seen: set[str] = set()
    with ann.listen() as events:
        for event in events:
            assert isinstance(event, MessageBatch)
            for message in event.messages:
                seen.add(message.text)
                if len(seen) in weather.bot_killed_at:
                    weather.bot_killed_at.remove(len(seen))
                    bot.kill(again_after=weather.chance.choice([None, weather.chance.random()]))
                if len(seen) == weather.server_killed_at:
                    weather.server_killed_at = 0
                    server.kill_and_start_again()
            if len(seen) == MESSAGES:
                return


@pytest.mark.parametrize("wire", ["grpc", "wire"])
def test_after_a_restore_nothing_is_answered_twice_or_skipped(tmp_path: Path, wire: str) -> None:
    (tmp_path / "store").mkdir()
    server = Server(tmp_path / "store" / "chatbooth.db", wire)
    before, lost, after = ([f"{when} {number}" for number in range(10)] for when in ("before", "lost", "after"))
    after += ["after the bot's place in the epoch before"]
    try:
        with signed_up(server.address) as ann:
            with echo_bot(tmp_path / "bot", server.address):
                _send(ann, before)
                _await(ann, before)
                server.back_up(tmp_path / "backup.db")
                _send(ann, lost)
                _await(ann, before + lost)
                wait_until(lambda: cursor_of(server.store, "echo") == len(before + lost), PATIENCE)
            server.restore(tmp_path / "backup.db")
            _send(ann, after)
            with echo_bot(tmp_path / "bot", server.address):
                wait_until(lambda: cursor_of(server.store, "echo") == len(before + after), PATIENCE)
            _await(ann, before + after)
    finally:
        server.end()
    assert sessions_of(server.store, "echo") == 1


def _send(ann: ChatClient, texts: list[str]) -> None:
    assert all(isinstance(outcome, Receipt) for _, outcome in ann.send_many(("echo", text) for text in texts))


def _await(ann: ChatClient, texts: list[str]) -> None:
    """Wait until the mailbox has as many messages as these, and check that it has exactly these."""
    wait_until(lambda: len(ann.deliver(after=0).messages) >= len(texts), PATIENCE)
    assert [message.text for message in ann.deliver(after=0).messages] == texts


@pytest.mark.parametrize("wire", ["grpc", "wire"])
def test_a_log_in_that_is_cut_off_leaves_no_unknown_session(
    tmp_path: Path, wire: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bot is killed after the server has opened the session, and before the bot has noted it."""
    server = Server(tmp_path / "chatbooth.db", wire)
    state = tmp_path / "echo.state"
    try:
        with signed_up(server.address):
            for _ in range(3):
                with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
                    _resume_cut_off(patched, server.address, state)
            ChatClient.resume(server.address, "echo", PASSWORD, state=state).close()
    finally:
        server.end()
    assert sessions_of(server.store, "echo") == 1


def _resume_cut_off(patched: pytest.MonkeyPatch, address: str, state: Path) -> None:
    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    patched.setattr(KeptSession, "keep", cut_off)
    ChatClient.resume(address, "echo", PASSWORD, state=state)
