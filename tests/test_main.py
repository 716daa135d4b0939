"""main.py, the first command line: it passes words to the server and the client unchanged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.processes import environment

ROOT = Path(__file__).parents[1]


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run main.py to its end."""
    command = [sys.executable, str(ROOT / "main.py"), *words]
    own = {**environment(), **variables}
    return subprocess.run(command, capture_output=True, text=True, env=own, cwd=ROOT, timeout=60, check=False)


def test_the_servers_help_is_that_of_the_server() -> None:
    for words in (["--server", "--help"], ["-h", "--server"]):
        done = run(*words)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("usage: python main.py --server ")
        assert "--session-expiry TIME" in done.stdout
        assert "--wire-port" not in done.stdout
    assert "python main.py --server --help" in run("--help").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--port", "http"], "--port: 'http' is not a whole number"),
        (["--port"], "--port: '' is not a whole number"),
        (["--port", "-1"], "--port: -1 is not within 0 and 65,535"),
        (["--host", "127.0.0.1:70000"], "--port: 70000 is not within 0 and 65,535"),
        (["--host"], "--host: the address is missing"),
        (["--prot", "1"], "there is no flag --prot, did you mean --port?"),
    ],
)
def test_an_error_of_the_server_names_what_was_typed(words: list[str], said: str) -> None:
    line = f"{said}; python main.py --server --help lists the flags"
    done = run("--server", *words)
    assert (done.returncode, done.stderr) == (2, f"chatbooth: {line}\n")
    done = run("--server", *words, CHATBOOTH_LOG_FORMAT="json")
    assert json.loads(done.stderr)["event"] == line


def test_a_value_that_is_not_given_comes_from_the_environment() -> None:
    variables = {"CHATBOOTH_HOST": "192.0.2.1", "CHATBOOTH_WIRE_PORT": "1", "CHATBOOTH_INSECURE": "1"}
    done = run("--server", "--store", "/dev/null/s.db", **variables)
    assert done.returncode == 1
    # The server accepted the host, and failed at the store.
    assert "--host" not in done.stderr
    done = run("--server", CHATBOOTH_HOST="192.0.2.1")
    assert "CHATBOOTH_HOST=192.0.2.1 would send passwords" in done.stderr


def test_a_port_inside_the_host_counts_and_the_other_is_a_warning() -> None:
    done = run("--server", "--host", "127.0.0.1:0", "--port", "5", "--store", "/dev/null/s.db")
    warning, error = done.stderr.splitlines()
    assert warning.endswith("warning: --host names port 0; --port 5 is ignored")
    assert error.startswith("chatbooth: ")


@pytest.mark.parametrize(
    "text", ["-h", "--help", "--server", "--host", "--port", "--port=1", "--json", "-x", "--host=x"]
)
def test_a_word_after_the_command_belongs_to_the_client(text: str, tmp_path: Path) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path)}
    refused = run("--port", "1", "send", "bob", text, **state)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert " -- " in refused.stderr
    for words in (["send", "bob", "--", text], ["--host", "127.0.0.1", "--timeout", "2", "list", "--", text]):
        done = run("--port", "1", *words, **state)
        # Nobody is logged in.
        assert (done.returncode, done.stdout) == (3, "")
        assert f"{sys.executable} {ROOT / 'main.py'} --host 127.0.0.1 --port 1 login USERNAME" in done.stderr


def test_the_clients_help_names_the_program_as_it_was_typed() -> None:
    done = run("send", "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: {sys.executable} {ROOT / 'main.py'} send ")
    assert "--server" not in done.stdout
    done = run("--port", "x", "sned")
    assert done.returncode == 2
    assert run("sned").stderr.startswith(f"{sys.executable} {ROOT / 'main.py'}: error: there is no command 'sned' (did")
    assert "signup, login, logout" in run("--help").stdout
