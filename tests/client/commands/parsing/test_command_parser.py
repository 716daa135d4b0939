"""The parser of one command: two dashes, `--help` and short errors."""

from __future__ import annotations

import json

import pytest

from chatbooth_grpc.client.commands.arguments import parse
from tests.client.commands.lines import parsed

ID = "0193a000-0000-7000-8000-0000000000aa"


@pytest.mark.parametrize("line", ["send -h hi", "send --help bob hi", "list -h x", "login -h ann", "whoami --json -h"])
def test_help_must_be_the_only_argument(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        parsed(line)
    assert exited.value.code == 2
    assert "stands alone" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["-h", "--json", "-x", "-"])
def test_names_and_patterns_may_stand_after_two_dashes(word: str) -> None:
    assert parse(["list", "--", word]).pattern == word
    assert parse(["login", "--", word]).username == word
    assert parse(["send", "--", word, "hi"]).recipient == word


def test_a_value_of_a_flag_stands_before_two_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    for line in ("list --as -- ann", "list --prefix -- a", "deliver --max -- 1", "send --from-file -- f"):
        with pytest.raises(SystemExit) as exited:
            parsed(line)
        assert exited.value.code == 2
    assert "expected" in capsys.readouterr().err


@pytest.mark.parametrize("line", ["nonsense", "list --nonsense", "send bob", "--timeout x", "deliver --max 0"])
def test_an_error_of_usage_is_short(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(line if line != "send bob" else "send bob --queue")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert ": error: " in lines[0]
    assert lines[1].endswith("--help' lists what it takes.")


@pytest.mark.parametrize("line", ["nonsense --json", "send bob --json --nonsense", "--json deliver --max 0", "--json"])
def test_a_program_gets_an_error_of_usage_as_json(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        parsed(line)
    assert exited.value.code == 2
    record = json.loads(capsys.readouterr().err)
    assert (record["error"], record["exit_code"]) == ("USAGE", 2)
