"""The words of an administrator's command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from chatbooth_grpc.admin.arguments import parse
from chatbooth_grpc.admin.commands.table import COMMANDS


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHATBOOTH_STORE", raising=False)
    monkeypatch.setenv("COLUMNS", "80")


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return the words about wrong arguments, which end the program with 2."""
    with pytest.raises(SystemExit) as ended:
        parse(words)
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_flags_stand_before_or_after_the_command() -> None:
    for words in (["--store", "a.db", "--json", "stats"], ["stats", "--json", "--store", "a.db"]):
        parsed = parse(words)
        assert (parsed.command, parsed.store, parsed.json, parsed.quiet) == ("stats", Path("a.db"), True, False)


def test_the_store_is_named_by_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse(["stats"]).store == Path("chatbooth.db")
    monkeypatch.setenv("CHATBOOTH_STORE", "b.db")
    assert parse(["stats"]).store == Path("b.db")
    assert parse(["--store", "c.db", "stats"]).store == Path("c.db")


def test_wrong_words_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "a command is missing" in refusal(capsys)
    assert "did you mean backup?" in refusal(capsys, "bakcup")
    assert "there is no flag '--fast'" in refusal(capsys, "check", "--fast")
    assert "too many words" in refusal(capsys, "stats", "now")
    assert "create|list|revoke" in refusal(capsys, "invite")
    assert "invalid choice: 'make'" in refusal(capsys, "invite", "make")
    assert "'soon' is not a duration" in refusal(capsys, "invite", "create", "--expires", "soon")
    assert "over at once" in refusal(capsys, "invite", "create", "--expires", "0d")
    assert "'0' is not a whole number from 1" in refusal(capsys, "invite", "create", "--uses", "0")
    assert json.loads(refusal(capsys, "--json", "delete"))["error"] == "USAGE"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_a_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([command, "--help"])
    assert ended.value.code == 0
    words = COMMANDS[command]
    assert f"{words[0].upper()}{words[1:]}." in " ".join(capsys.readouterr().out.split())


def test_the_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    out = capsys.readouterr().out
    assert all(f"    {name} " in out and words in out for name, words in COMMANDS.items())


def test_reading_the_words_imports_no_slow_library() -> None:
    code = (
        "import sys\n"
        "from chatbooth_grpc.admin.arguments import parse\n"
        "parse(['backup', 'x'])\n"
        "print(sorted({'grpc', 'apsw', 're2', 'argon2', 'google.protobuf'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
