"""The flags of every command: they may stand before or after it. Variables replace them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client.commands.lines import parsed

NO_SECURITY = {"trust": None, "client_cert": None, "client_key": None, "insecure": False, "token_file": None}
ID = "0193a000-0000-7000-8000-0000000000aa"


def test_the_defaults() -> None:
    expected = {"server": "127.0.0.1:50051", "as_user": None, "timeout": 10.0, "json": False}
    expected |= {"quiet": False, "command": None, **NO_SECURITY}
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
    expected = {"server": "grpc+tls://h:50051", "as_user": "ann", "timeout": 2.5, "json": True}
    expected |= {"quiet": True, "pattern": "x", "prefix": "", **NO_SECURITY}
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


def test_plain_text_to_another_machine_must_be_allowed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parsed("--server h whoami")["server"] == "grpc+tls://h:50051"
    assert parsed("whoami --insecure --server h")["server"] == "h:50051"
    assert parsed("--insecure --server wire://h whoami")["server"] == "wire://h:8080"
    with pytest.raises(SystemExit) as exited:
        parsed("--server wire://h whoami")
    assert exited.value.code == 2
    assert "write wire+tls://h:8080, or say --insecure" in capsys.readouterr().err
    monkeypatch.setenv("CHATBOOTH_INSECURE", "1")
    assert parsed("--server wire://h whoami")["server"] == "wire://h:8080"


def test_a_fingerprint_is_read_and_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert parsed(f"--trust {'AB' * 32} whoami")["trust"] == f"SHA256:{'ab' * 32}"
    with pytest.raises(SystemExit) as exited:
        parsed("--trust abc whoami")
    assert exited.value.code == 2
    assert "64 hex digits" in capsys.readouterr().err


def test_a_client_certificate_needs_its_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "file.pem"
    file.write_text("")
    found = parsed(f"whoami --client-cert {file} --client-key {file}")
    assert (found["client_cert"], found["client_key"]) == (str(file), str(file))
    for line, words in ((f"--client-cert {file}", "belong together"), ("--client-key /absent", "can be read")):
        with pytest.raises(SystemExit):
            parsed(f"{line} whoami")
        assert words in capsys.readouterr().err
