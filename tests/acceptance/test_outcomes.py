"""Every command with every kind of outcome: its exit code, and its output streams."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatbooth_grpc.client import ChatClient
from chatbooth_grpc.client.commands.table import COMMANDS as TABLE
from tests.acceptance.processes import PASSWORD, Done, ServerProcess, environment
from tests.acceptance.seats import Seat
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]

OTHER_PASSWORD = "another password"
DEAD = "wire://127.0.0.1:1"

COMMANDS: dict[str, list[str]] = {
    "signup": ["signup", "NEW"],
    "login": ["login", "ME"],
    "logout": ["logout"],
    "whoami": ["whoami"],
    "passwd": ["passwd"],
    "list": ["list", "--prefix", "ME"],
    "send": ["send", "ME", "tea?"],
    "send --queue": ["send", "--queue", "ME", "tea?"],
    "send --from-file": ["send", "--from-file", "FILE"],
    "deliver": ["deliver"],
    "listen": ["listen", "--max", "1"],
    "trust": ["trust", "--forget"],
    "outbox": ["outbox"],
    "outbox --send": ["outbox", "--send"],
    "outbox --drop": ["outbox", "--drop", "ID"],
    "blocks": ["blocks"],
    "blocks --add": ["blocks", "--add", "OTHER"],
    "sessions": ["sessions"],
    "sessions --end": ["sessions", "--end", "SESSION"],
    "token": ["token", "list"],
    "token --create": ["token", "create", "alerts", "--read"],
    "token --revoke": ["token", "revoke", "bot"],
    "delete": ["delete", "--yes"],
}
"""One good call of each command. A message waits for ME, another one is in the outbox, and OTHER is blocked."""

DATA = {"whoami", "list", "deliver", "listen", "outbox", "blocks", "sessions", "token", "token --create"}
"""The commands that print data. The others change something and report it."""

LOCAL = {"trust", "outbox", "outbox --drop"}
"""The commands that do not call the server."""


def codes(usual: int, **others: int) -> dict[str, int]:
    """Return the exit code of each command for one kind of outcome. `_` stands for ` --`."""
    named = {name.replace("_", " --").replace("from --file", "from-file"): code for name, code in others.items()}
    assert named.keys() <= COMMANDS.keys()
    return {name: named.get(name, usual) for name in COMMANDS}


class MovingSeat(Seat):
    """A person of a name that nobody else has, whose server may change and whose session may end."""

    def __init__(self, server: str, folder: Path) -> None:
        super().__init__(server, folder / "state", f"u-{uuid.uuid4().hex[:12]}", waiting=1)
        self.chatbooth.variables["CHATBOOTH_NEW_PASSWORD"] = OTHER_PASSWORD
        self._file = folder / "messages.jsonl"
        self._file.write_text(json.dumps({"recipient": self.name, "text": "from a file"}) + "\n")
        self._server = server
        self._other = f"o-{self.name[2:]}"
        with ChatClient.connect(server) as other:
            other.sign_up(self._other, PASSWORD)
        with ChatClient.connect(server, session=self.saved.session) as client:
            client.block(self._other)
            with ChatClient.connect(server) as elsewhere:
                elsewhere.log_in(self.name, PASSWORD)
            client.create_token("bot", may_read=True)
            self._spare = [*client.sessions()][-2].session_id

    def words(self, command: str) -> list[str]:
        """Return the words of a command of this person."""
        places = {"ME": self.name, "NEW": f"n{self.name}", "FILE": str(self._file), "ID": self.queued}
        places |= {"OTHER": self._other, "SESSION": str(self._spare)}
        return [places.get(word, word) for word in COMMANDS[command]]

    def move_to(self, server: str) -> None:
        """Use another server's address for the same sessions and outbox."""
        sessions = self.chatbooth.state / "chatbooth" / "sessions"
        there = sessions / server.replace("://", ":")
        (sessions / self.chatbooth.server.replace("://", ":")).rename(there)
        path = there / f"{self.name}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "server": server}))
        self.chatbooth.server = server

    def end_session(self) -> None:
        """End the session from another machine."""
        with ChatClient.connect(self._server) as elsewhere:
            elsewhere.log_in(self.name, PASSWORD)
            elsewhere.change_password(PASSWORD, OTHER_PASSWORD)
        self.chatbooth.variables["CHATBOOTH_PASSWORD"] = OTHER_PASSWORD

    def texts(self) -> list[str]:
        """Return the texts in the mailbox, without acknowledging them."""
        return [record["text"] for record in self.chatbooth("deliver", "--keep", "--after", "0", "--json").records]


@pytest.fixture(scope="module")
def wire_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Return a server that answers over the wire, where a command starts fastest."""
    server = ServerProcess(tmp_path_factory.mktemp("outcomes") / "chatbooth.db", flags=["--wire-port", "0"])
    yield server
    server.end()


@pytest.fixture
def seat(wire_server: ServerProcess, tmp_path: Path) -> MovingSeat:
    return MovingSeat(wire_server.addresses["wire"], tmp_path)


def done(seat: MovingSeat, command: str) -> Done:
    return seat.chatbooth(*seat.words(command))


def misused(seat: MovingSeat, command: str) -> Done:
    return seat.chatbooth(*seat.words(command), "--no-such-flag")


def logged_out(seat: MovingSeat, command: str) -> Done:
    seat.chatbooth("logout")
    return seat.chatbooth(*seat.words(command))


def ended(seat: MovingSeat, command: str) -> Done:
    seat.end_session()
    return seat.chatbooth(*seat.words(command))


def unreachable(seat: MovingSeat, command: str) -> Done:
    seat.move_to(DEAD)
    return seat.chatbooth("--timeout", "0.3", *seat.words(command))


def full(seat: MovingSeat, command: str) -> Done:
    return seat.chatbooth.redirected(">/dev/full", "--json", *seat.words(command))


def closed(seat: MovingSeat, command: str) -> Done:
    return seat.chatbooth.redirected(">&-", "--json", *seat.words(command))


def deaf_person(seat: MovingSeat, command: str) -> Done:
    return seat.chatbooth.redirected("2>/dev/full", *seat.words(command))


OUTCOMES: dict[Callable[[MovingSeat, str], Done], dict[str, int]] = {
    done: codes(0),
    misused: codes(2),
    logged_out: codes(3, signup=0, login=0, trust=0),
    ended: codes(3, signup=0, login=0, logout=0, trust=0, outbox=0, outbox_drop=0),
    unreachable: codes(4, send_queue=0, trust=0, outbox=0, outbox_drop=0),
    full: codes(6, **dict.fromkeys(DATA, 1)),
    closed: codes(6, **dict.fromkeys(DATA, 1)),
    deaf_person: codes(6, **dict.fromkeys(DATA, 0)),
}


def test_every_command_is_in_the_table() -> None:
    assert {words[0] for words in COMMANDS.values()} == set(TABLE)


# If the server is away, a listener waits until it returns.
CASES = [
    pytest.param(outcome, command, code, id=f"{outcome.__name__}-{command}")
    for outcome, table in OUTCOMES.items()
    for command, code in table.items()
    if (outcome, command) != (unreachable, "listen")
]


@pytest.mark.parametrize(("outcome", "command", "code"), CASES)
def test_the_exit_code_is_that_of_the_outcome(
    seat: MovingSeat, outcome: Callable[[MovingSeat, str], Done], command: str, code: int
) -> None:
    came = outcome(seat, command)
    assert came.code == code, came
    assert "Traceback" not in came.out + came.err
    assert "Exception ignored" not in came.err
    if code == 6:
        assert_said_on_the_other_stream(came, by_program=outcome is not deaf_person)
    if outcome in (full, closed) and command in {"deliver", "listen"}:
        # The message was not acknowledged.
        assert "waiting" in seat.chatbooth("deliver").out


def assert_said_on_the_other_stream(came: Done, *, by_program: bool) -> None:
    """Check that a result that one stream did not accept was printed on the other."""
    if by_program:
        record = json.loads(came.err.splitlines()[-1])
        assert (record["error"], record["exit_code"]) == ("DONE_BUT_NOT_PRINTED", 6)
        assert record["details"]
        assert came.out == ""
    else:
        assert "This could not be written to standard error: No space left on device." in came.out
        assert came.err == ""


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("outcome", [done, ended], ids=["done", "refused"])
def test_without_standard_error_no_words_are_mixed_with_the_data(
    seat: MovingSeat, command: str, outcome: Callable[[MovingSeat, str], Done]
) -> None:
    code = OUTCOMES[outcome][command]
    if outcome is ended:
        seat.end_session()
    came = seat.chatbooth.redirected("2>&-", *seat.words(command))
    assert (came.code, came.err) == (code, "")
    if command not in DATA - {"outbox"} or code:
        assert came.out == "" or (command, code) == ("outbox", 0)


@pytest.mark.parametrize("command", ["send", "send --queue", "send --from-file", "signup", "delete", "passwd"])
def test_a_closed_pipe_does_not_hide_the_outcome(seat: MovingSeat, command: str) -> None:
    running = seat.chatbooth.start("--json", *seat.words(command))
    for stream in (running.stdout, running.stdin):
        assert stream is not None
        stream.close()
    assert running.stderr is not None
    with running.stderr:
        record = json.loads(running.stderr.read().splitlines()[-1])
    assert (running.wait(60), record["error"]) == (6, "DONE_BUT_NOT_PRINTED")


@pytest.mark.parametrize("closings", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("program", [["-m", "chatbooth_grpc.server", "--no-grpc"], ["main.py", "--server"]])
def test_a_server_without_streams_does_not_damage_its_store(tmp_path: Path, closings: str, program: list[str]) -> None:
    """No file of the server has the number of a standard stream, so no log line can get into the store."""
    port_flag = "--port" if program[0] == "main.py" else "--wire-port"
    words = [sys.executable, *program, port_flag, "0", "--store", str(tmp_path / "chatbooth.db")]
    shell = ["sh", "-c", f'exec "$@" {closings}', "sh", *words]
    server = subprocess.Popen(shell, cwd=ROOT, env=environment(), stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: listening_port(server.pid) is not None)
        seat = MovingSeat(f"wire://127.0.0.1:{listening_port(server.pid)}", tmp_path)
        assert "waiting" in seat.texts()
        opened = [str(Path(f"/proc/{server.pid}/fd/{number}").readlink()) for number in range(3)]
        assert not any("chatbooth.db" in path or "socket" in path for path in opened)
    finally:
        server.terminate()
        assert server.wait(60) == 0


def listening_port(pid: int) -> int | None:
    """Return the port on which a process listens, from the system's tables. None means that it does not listen yet."""
    own = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            own.add(str(link.readlink()).removeprefix("socket:[").removesuffix("]"))
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ports = [int(line[1].rpartition(":")[2], 16) for line in lines if line[3] == "0A" and line[9] in own]
    return ports[0] if ports else None
