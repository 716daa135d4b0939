"""Hostile words, paths, variables and descriptors: no program ends in a traceback."""

from __future__ import annotations

import io
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatbooth_grpc.client.__main__ import main
from chatbooth_grpc.client.failures import exit_codes
from tests.acceptance.processes import CLIENT, PASSWORD, CommandLine, ServerProcess, environment

ROOT = Path(__file__).parents[2]
CODES = {value for name, value in vars(exit_codes).items() if name.isupper()}
ID = "0193a00000007000800000000000000a"

WORDS = [
    "",
    " ",
    "-",
    "--",
    "-h",
    "--json",
    "caf\udce9",
    "\udcff",
    "é",
    "漢字",
    "a" * 100_000,
    "9" * 5_000,
    "-9223372036854775809",
    "1e400",
    "nan",
    "\x1b[31m",
    "a\nb",
    "%s%(x)s{0}",
    "../../x",
    "(" * 5_000,
]
"""Every kind of word that a shell can pass."""

COMMANDS: dict[str, list[list[str]]] = {
    "signup": [["signup", "WORD"]],
    "login": [["login", "WORD"]],
    "logout": [["--as", "WORD", "logout"]],
    "whoami": [["whoami", "WORD"], ["--as", "WORD", "whoami"], ["--timeout", "WORD", "whoami"]],
    "passwd": [["passwd", "WORD"], ["--as", "WORD", "passwd"]],
    "list": [["list", "WORD"], ["list", "--", "WORD"], ["list", "--prefix", "WORD"]],
    "send": [
        ["send", "WORD", "hi"],
        ["send", "hostile", "WORD"],
        ["send", "hostile", "--", "WORD"],
        ["send", "--message-id", "WORD", "hostile", "hi"],
        ["send", "--from-file", "WORD"],
        ["send", "--queue", "WORD", "hi"],
        ["send", "--queue", "hostile", "WORD"],
    ],
    "deliver": [["deliver", "--after", "WORD"], ["deliver", "--max", "WORD"]],
    "listen": [["listen", "--max", "WORD"], ["listen", "--max", "0", "WORD"]],
    "outbox": [["outbox", "--drop", "WORD"]],
    "blocks": [["blocks", "--add", "WORD"], ["blocks", "--remove", "WORD"], ["blocks", "WORD"]],
    "sessions": [["sessions", "--end", "WORD"], ["sessions", "WORD"]],
    "token": [
        ["token", "WORD"],
        ["token", "WORD", "bot", "--read"],
        ["token", "create", "WORD", "--read"],
        ["token", "create", "bot", "--send-to", "WORD"],
        ["token", "create", "bot", "--read", "--expires", "WORD"],
        ["token", "revoke", "WORD"],
        ["--token-file", "WORD", "send", "hostile", "hi"],
    ],
    "trust": [
        ["trust", "WORD"],
        ["--server", "grpc+tls://WORD", "--timeout", "1", "trust"],
        ["--server", "wire+tls://WORD", "--timeout", "1", "trust", "--forget"],
        ["--server", "wire+tls://127.0.0.1:1", "--trust", "WORD", "trust"],
        ["--server", "grpc+tls://127.0.0.1:1", "--trust", "WORD", "list"],
    ],
    "delete": [["--as", "WORD", "delete", "--yes"], ["delete", "WORD"]],
    "none": [["WORD"], ["--server", "WORD", "list"], ["--server", "wire://WORD", "--timeout", "1", "login", "x"]],
}
"""Each command with a hostile word in each place that takes one."""


@pytest.fixture(scope="module", params=["", "wire://"])
def seat(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return the variables of a person who is logged in as `hostile`, over each wire."""
    folder = tmp_path_factory.mktemp("hostile")
    server = ServerProcess(folder / "chatbooth.db", flags=("--no-grpc", "--wire-port", "0") if request.param else ())
    chatbooth = CommandLine(f"{request.param}{server.address}", folder / "state")
    assert chatbooth("signup", "hostile").code == 0
    yield {name: value for name, value in chatbooth.environment().items() if name not in os.environ}
    server.end()


def run_here(words: list[str], monkeypatch: pytest.MonkeyPatch, typed: bytes = b"x\xff\n") -> int:
    """Run a command in this process, which raises unexpected errors. Return its exit code."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(typed)))
    try:
        return main(words)
    except SystemExit as exited:
        return exited.code if isinstance(exited.code, int) else -1


@pytest.mark.parametrize("command", COMMANDS)
def test_no_word_ends_in_a_traceback(
    command: str, seat: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in seat.items():
        monkeypatch.setenv(name, value)
    for line, word, flags in itertools.product(COMMANDS[command], WORDS, [[], ["--json"]]):
        words = [*flags, *(part.replace("WORD", word) for part in line)]
        assert run_here(words, monkeypatch) in CODES, words
        assert "Traceback" not in capsys.readouterr().err


VARIABLES = {
    "CHATBOOTH_SERVER": ["\udcff", "é", "x:99999999", "wire://", "a" * 300, "a..b"],
    "CHATBOOTH_AS": ["\udcff", "a" * 300],
    "CHATBOOTH_TIMEOUT": ["\udcff", "9" * 5_000, "-1"],
    "CHATBOOTH_PASSWORD": ["caf\udce9 caf\udce9", "", "x" * 100_000],
    "CHATBOOTH_CLIENT_COMMAND": ["\udcff", "%(x)s %d"],
    "XDG_STATE_HOME": ["/dev/null", "/dev/null/x", "relative", "", "/\udcff", "/proc", "/" + "a" * 300],
    "HOME": ["/dev/null", "relative", "", "/\udcff"],
    "COLUMNS": ["0", "-1", "1", "x", "9" * 30],
    "PYTHONIOENCODING": ["ascii", "ascii:strict", "utf-16", "latin-1:strict"],
    "LC_ALL": ["C", "nonsense"],
}


@pytest.mark.parametrize("name", VARIABLES)
def test_no_variable_ends_in_a_traceback(name: str, chatbooth: CommandLine) -> None:
    if name == "HOME":
        chatbooth.variables["XDG_STATE_HOME"] = ""
    for value in VARIABLES[name]:
        for words in (
            ["login", "é"],
            ["--server", "wire://127.0.0.1:1", "--timeout", "0.5", "signup", "x"],
            ["--help"],
        ):
            done = chatbooth(*words, **{"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", name: value})
            assert done.code in CODES, (value, words)
            assert "Traceback" not in done.err


@pytest.mark.parametrize("closed", [[0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]])
def test_no_closed_descriptor_ends_in_a_traceback(closed: list[int], chatbooth: CommandLine) -> None:
    chatbooth("signup", "ann")
    for line in ("list", "send ann hi", "send ann", "send --queue ann hi", "deliver", "nonsense", "--help", ""):
        close = " ".join(f"{number}>&-" for number in closed)
        shell = f'exec "$@" {close}'
        done = subprocess.run(
            ["sh", "-c", shell, "sh", *CLIENT, *line.split()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=chatbooth.environment(),
            timeout=60,
            check=False,
        )
        assert done.returncode in CODES, line
        assert b"Traceback" not in done.stderr + done.stdout


def run_from_nowhere(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command whose current folder has been removed."""
    folder.mkdir()
    variables = {
        **environment(),
        "PYTHONPATH": str(ROOT),
        "CHATBOOTH_PASSWORD": PASSWORD,
        "XDG_STATE_HOME": str(folder),
    }
    shell = f'cd "{folder}" && rmdir "{folder}" && exec "$@"'
    return subprocess.run(
        ["sh", "-c", shell, "sh", *command], env=variables, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ([*CLIENT, "list"], 3),
        ([*CLIENT, "send", "--from-file", "x"], 3),
        ([sys.executable, str(ROOT / "main.py"), "list"], 3),
        ([sys.executable, "-m", "chatbooth_grpc.server", "--port", "0"], 1),
        ([sys.executable, str(ROOT / "main.py"), "--server", "--port", "0"], 1),
    ],
)
def test_a_removed_current_folder_is_a_plain_error(command: list[str], code: int, tmp_path: Path) -> None:
    done = run_from_nowhere(tmp_path / "gone", *command)
    assert "Traceback" not in done.stderr
    assert done.returncode == code
    assert done.stderr.startswith("chatbooth: ")


SERVER_WORDS = ["", "\udcff", "é", "²", "9" * 30, "-1", "a..b", "a" * 300, "nan", "/dev/null", "/", "h:²", "[", "[::1"]


@pytest.mark.parametrize("program", [["-m", "chatbooth_grpc.server"], [str(ROOT / "main.py"), "--server"]])
def test_no_word_of_the_servers_ends_in_a_traceback(program: list[str], tmp_path: Path) -> None:
    for flag, word in itertools.product(["--host", "--port", "--store", "--retain", "--log-level"], SERVER_WORDS):
        words = [flag, f"{word}/missing/x"] if flag == "--store" else [flag, word]
        done = subprocess.run(
            [sys.executable, *program, "--store", str(tmp_path / "missing" / "x"), *words],
            cwd=tmp_path,
            env={**environment(), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode in {1, 2}, (flag, word, done.stderr)
        assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("word", SERVER_WORDS)
def test_no_word_of_main_ends_in_a_traceback(word: str, tmp_path: Path) -> None:
    for flag in ("--host", "--port"):
        done = subprocess.run(
            [sys.executable, str(ROOT / "main.py"), flag, word, "--timeout", "0.5", "login", "x"],
            env={**environment(), "CHATBOOTH_PASSWORD": PASSWORD, "XDG_STATE_HOME": str(tmp_path)},
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode in {2, 4}, (flag, word, done.stderr)
        assert b"Traceback" not in done.stderr
