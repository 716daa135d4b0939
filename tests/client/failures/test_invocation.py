"""Advice on the next command uses the words that started the program."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbooth_grpc.client.failures.invocation import command_line, program


@pytest.fixture(autouse=True)
def no_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unset the variable by which a script gives its own name."""
    monkeypatch.delenv("CHATBOOTH_CLIENT_COMMAND", raising=False)


def started(monkeypatch: pytest.MonkeyPatch, typed: list[str], name: str, *arguments: str) -> None:
    """Pretend that Python was started by `typed` and the arguments, and calls the program `name`."""
    monkeypatch.setattr("sys.orig_argv", [*typed, *arguments])
    monkeypatch.setattr("sys.argv", [name, *arguments])


@pytest.mark.parametrize(
    ("typed", "name", "words"),
    [
        (["python3", "-m", "chatbooth_grpc.client"], "/x/client/__main__.py", "python3 -m chatbooth_grpc.client"),
        (
            ["/v/bin/python", "-X", "utf8", "-m", "chatbooth_grpc.client"],
            "x",
            "/v/bin/python -X utf8 -m chatbooth_grpc.client",
        ),
        (["python", "main.py"], "main.py", "python main.py"),
        (["python", "my chat/main.py"], "my chat/main.py", "python 'my chat/main.py'"),
        (["python", "/v/bin/chatbooth"], "/v/bin/chatbooth", "/v/bin/chatbooth"),
        (["python", "-m", "pytest"], "/x/pytest/__main__.py", "python -m chatbooth_grpc.client"),
        (["python", "-c", "..."], "-c", "python -m chatbooth_grpc.client"),
    ],
)
def test_the_program_is_named_as_it_was_typed(
    typed: list[str], name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    started(monkeypatch, typed, name, "--json", "list")
    assert program() == words


def test_a_command_that_the_path_finds_has_its_short_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command = tmp_path / "chatbooth"
    command.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    started(monkeypatch, ["python", str(command)], str(command))
    assert program() == "chatbooth"


def test_a_script_gives_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATBOOTH_CLIENT_COMMAND", "scripts/client.sh")
    started(monkeypatch, ["python", "main.py"], "main.py")
    assert command_line("wire://h:1", "list") == "scripts/client.sh --server wire://h:1 list"


def test_main_names_the_server_by_its_own_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    started(monkeypatch, ["python", "main.py"], "main.py")
    assert command_line("wire://127.0.0.1:8080", "list") == "python main.py --host 127.0.0.1 list"
    assert command_line("wire://[::1]:9", "list") == "python main.py --host '[::1]' --port 9 list"


def test_another_server_is_named_and_words_are_quoted() -> None:
    assert command_line("h:1", "send", "it's").endswith(""" --server h:1 send 'it'"'"'s'""")
