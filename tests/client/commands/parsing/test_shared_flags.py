"""The flags of every command: they may stand before or after it. Variables replace them."""

from __future__ import annotations

import pytest

from tests.client.commands.lines import parsed

ID = "0193a000-0000-7000-8000-0000000000aa"


def test_the_defaults() -> None:
    expected = {"server": "127.0.0.1:50051", "as_user": None, "timeout": 10.0, "json": False}
    expected |= {"quiet": False, "command": None}
    assert parsed("") == expected


@pytest.mark.parametrize(
    "line",
    [
        "--server H --as ann --timeout 2.5 --json --quiet list x",
        "list x --server H --as ann --timeout 2.5 --json -q",
        "--server H -q list --as ann x --timeout 2.5 --json",
    ],
)
def test_shared_flags_stand_before_or_after_the_command(line: str) -> None:
    expected = {"server": "h:50051", "as_user": "ann", "timeout": 2.5, "json": True}
    expected |= {"quiet": True, "pattern": "x", "prefix": ""}
    assert parsed(line) == {**expected, "command": "list"}


def test_a_variable_replaces_a_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATBOOTH_SERVER", "::1")
    monkeypatch.setenv("CHATBOOTH_AS", "ann")
    monkeypatch.setenv("CHATBOOTH_TIMEOUT", "3")
    found = parsed("whoami")
    assert (found["server"], found["as_user"], found["timeout"]) == ("[::1]:50051", "ann", 3.0)
    assert parsed("whoami --as ben")["as_user"] == "ben"
    monkeypatch.setenv("CHATBOOTH_SERVER", "")
    assert parsed("whoami")["server"] == "127.0.0.1:50051"


def test_a_wrong_variable_is_named_and_exits_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CHATBOOTH_TIMEOUT", "soon")
    with pytest.raises(SystemExit) as exited:
        parsed("list")
    assert exited.value.code == 2
    assert "CHATBOOTH_TIMEOUT: 'soon' is not" in capsys.readouterr().err
