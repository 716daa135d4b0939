"""The words of a command line: their meaning, the places of flags, and errors of usage."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chatbooth_grpc.client.commands.arguments import parse
from chatbooth_grpc.client.commands.parsing import shared_flags
from chatbooth_grpc.client.commands.table import COMMANDS
from chatbooth_grpc.client.failures import exit_codes
from chatbooth_grpc.client.library import chat_client
from tests.client.commands.lines import parsed

ID = "0193a000-0000-7000-8000-0000000000aa"


def test_the_default_timeout_of_a_command_is_the_librarys() -> None:
    assert float(shared_flags.DEFAULT_TIMEOUT) == chat_client.DEFAULT_TIMEOUT


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sned bob hi", "did you mean send?"),
        ("singup", "did you mean signup?"),
        ("xyzzy", "there is no command 'xyzzy'\n"),
        ("list --prefx a", "did you mean --prefix?"),
        ("list --prefx=a", "did you mean --prefix?"),
        ("send --qeue bob hi", "did you mean --queue?"),
        ("--servr h list", "did you mean --server?"),
    ],
)
def test_a_word_that_is_close_to_a_command_is_suggested(
    line: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exited:
        parsed(line)
    assert exited.value.code == 2
    assert words in capsys.readouterr().err


def test_words_that_are_not_unicode_are_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    bad = "caf\udce9"
    for words in (["send", "bob", bad], ["send", bad, "x"], ["list", bad], ["login", bad], ["--as", bad, "list"]):
        for more in ([], ["--json"]):
            with pytest.raises(SystemExit) as exited:
                parse([*more, *words])
            assert exited.value.code == 2
            assert "not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "send",
        "send --from-file",
        "send bob hi there",
        "send bob --json hi there",
        "send bob -x",
        "send bob --nonsense hi",
        "send bob --message-id 00",
        f"send bob --message-id {'0' * 32}",
        "send bob --message-id xyz",
        "list a b",
        "whoami x",
        "whoami --serv h",
        "deliver --max 0",
        "deliver --max -1",
        "deliver --after x",
        "deliver --after ²",
        "deliver --after 99999999999999999999",
        "--timeout 0 list",
        "--timeout nan list",
        "--timeout inf list",
        "--timeout x list",
        "--server http://h list",
        "login ann --password secret",
        "--json",
        "--quiet",
    ],
)
def test_an_error_of_usage_exits_with_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        parsed(line)
    assert exited.value.code == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_in_the_help_and_has_help_of_its_own(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    for line in ("--help", f"--server H {command} --help"):
        with pytest.raises(SystemExit) as exited:
            parsed(line)
        assert exited.value.code == 0
    program_help, command_help = capsys.readouterr().out.split("usage: ")[1:]
    described = {line.split()[0] for line in program_help.splitlines() if line.startswith("    ")}
    assert described >= set(COMMANDS)
    assert command_help.split(" [")[0].endswith(f" {command}")
    assert "--server ADDRESS" in command_help


def test_help_explains_every_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        parsed("--help")
    assert exited.value.code == 0
    words = capsys.readouterr().out
    codes = [value for name, value in vars(exit_codes).items() if name.isupper()]
    assert sorted(codes) == [0, 1, 2, 3, 4, 5, 6, 7, 129, 130, 141, 143]
    for code in codes:
        assert f"  {code}" in words
    assert max(map(len, words.splitlines())) <= 80


def flags_in_help(command: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """Return the long flags that a command's help lists. Without a command, return the program's."""
    with pytest.raises(SystemExit):
        parsed(f"{command} --help")
    entries = re.findall(r"^  (-.*)$", capsys.readouterr().out, re.MULTILINE)
    return {flag for entry in entries for flag in re.findall(r"--[a-z-]+", entry.split("   ")[0])}


def test_the_readmes_table_has_every_flag_of_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    described: dict[str, set[str]] = {command: set() for command in COMMANDS}
    for commands, flags in re.findall(r"^\| (all|`[a-z`, ]+) \| (`-[^|]+) \|", readme, re.MULTILINE):
        for command in COMMANDS if commands == "all" else re.findall("[a-z]+", commands):
            described[command] |= {*re.findall(r"--[a-z-]+", flags)}
    program = flags_in_help("", capsys)
    assert {command: flags_in_help(command, capsys) | program for command in COMMANDS} == described
