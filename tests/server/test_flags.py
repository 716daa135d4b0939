"""The server's flags and their twins in the environment."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from chatbooth_grpc.server.flags import DEFAULT_THREADS, Settings, is_loopback, parse_settings

DAY = 86_400.0

TWINS: list[tuple[str, str, str, object]] = [
    ("--host", "CHATBOOTH_HOST", "::1", "::1"),
    ("--port", "CHATBOOTH_PORT", "0", 0),
    ("--wire-port", "CHATBOOTH_WIRE_PORT", "8080", 8080),
    ("--store", "CHATBOOTH_STORE", "/var/lib/chat.db", Path("/var/lib/chat.db")),
    ("--threads", "CHATBOOTH_THREADS", "3", 3),
    ("--max-calls", "CHATBOOTH_MAX_CALLS", "100", 100),
    ("--max-connections", "CHATBOOTH_MAX_CONNECTIONS", "9", 9),
    ("--max-listeners", "CHATBOOTH_MAX_LISTENERS", "5", 5),
    ("--max-send-streams", "CHATBOOTH_MAX_SEND_STREAMS", "7", 7),
    ("--max-text-size", "CHATBOOTH_MAX_TEXT_SIZE", "16MiB", 16 << 20),
    ("--session-expiry", "CHATBOOTH_SESSION_EXPIRY", "7d", 7 * DAY),
    ("--name-hold", "CHATBOOTH_NAME_HOLD", "0", 0.0),
    ("--retain", "CHATBOOTH_RETAIN", "1h", 3_600.0),
    ("--idle-timeout", "CHATBOOTH_IDLE_TIMEOUT", "1m", 60.0),
    ("--keepalive-time", "CHATBOOTH_KEEPALIVE_TIME", "5s", 5.0),
    ("--keepalive-timeout", "CHATBOOTH_KEEPALIVE_TIMEOUT", "500ms", 0.5),
    ("--max-connection-age", "CHATBOOTH_MAX_CONNECTION_AGE", "1h", 3_600.0),
    ("--drain-grace", "CHATBOOTH_DRAIN_GRACE", "0", 0.0),
    ("--log-level", "CHATBOOTH_LOG_LEVEL", "debug", "debug"),
    ("--log-format", "CHATBOOTH_LOG_FORMAT", "json", "json"),
]

WRONG: list[tuple[str, str, str]] = [
    ("--port", "65536", "65536 is not within 0 and 65,535"),
    ("--port", "-1", "-1 is not within"),
    ("--port", "http", "invalid number value: 'http'"),
    ("--threads", "0", "0 is not within 1 and 1,000"),
    ("--max-calls", "15", "15 is not within"),
    ("--max-text-size", "17MiB", "17MiB is not within 1 and 16,777,216"),
    ("--max-text-size", "0", "0 is not within"),
    ("--max-text-size", "1MB", "'1MB' is not a size"),
    ("--session-expiry", "0", "0 is not within"),
    ("--session-expiry", "month", "'month' is not a duration"),
    ("--retain", "-1", "'-1' is not a duration"),
    ("--retain", "3651d", "3651d is not within 0 and 315,360,000"),
    ("--retain", "for ever", "'for ever' is not a duration"),
    ("--drain-grace", "2h", "2h is not within"),
    ("--keepalive-timeout", "0", "0 is not within 0.1 and"),
    ("--log-level", "loud", "loud"),
    ("--log-format", "xml", "xml"),
]


def value(settings: Settings, flag: str) -> object:
    """What a flag set."""
    name = flag.removeprefix("--").replace("-", "_")
    limit = {"max_text_size": "text_size"}.get(name, name)
    return getattr(settings.limits, limit) if hasattr(settings.limits, limit) else getattr(settings, name)


def complaint(capsys: pytest.CaptureFixture[str], arguments: list[str], environment: dict[str, str]) -> str:
    """What a refusal says, which must be usage and one line."""
    with pytest.raises(SystemExit) as exited:
        parse_settings(arguments, environment)
    assert exited.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("usage: ")
    [line] = [line for line in error.splitlines() if "error:" in line]
    return line


def test_defaults_are_safe() -> None:
    settings = parse_settings([], {})
    assert (settings.host, settings.port, settings.store) == ("127.0.0.1", 50051, Path("chatbooth.db"))
    assert (settings.insecure, settings.threads, settings.max_calls) == (False, DEFAULT_THREADS, 2_000)
    assert (settings.limits.text_size, settings.limits.session_expiry) == (1 << 20, 30 * DAY)
    assert (settings.limits.name_hold, settings.drain_grace) == (30 * DAY, 10.0)
    assert settings.limits.retain == 30 * DAY
    assert (settings.log_level, settings.log_format) == ("info", "text")


@pytest.mark.parametrize(("flag", "variable", "text", "expected"), TWINS, ids=[twin[0] for twin in TWINS])
def test_each_flag_has_a_twin_and_wins_over_it(flag: str, variable: str, text: str, expected: object) -> None:
    default = value(parse_settings([], {}), flag)
    assert default != expected
    assert value(parse_settings([flag, text], {}), flag) == expected
    assert value(parse_settings([], {variable: text}), flag) == expected
    assert value(parse_settings([flag, text], {variable: _default_as_text(flag)}), flag) == expected


def _default_as_text(flag: str) -> str:
    return {"--host": "127.0.0.1", "--store": "other.db", "--log-level": "info", "--log-format": "text"}.get(flag, "64")


def test_no_flag_is_without_its_twin(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_settings(["--help"], {})
    flags = set(re.findall(r"^ +(?:-h, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    assert flags == {twin[0] for twin in TWINS} | {"--help", "--version", "--insecure", "--no-grpc"}


@pytest.mark.parametrize(("text", "meant"), [("1", True), ("true", True), ("YES", True), ("0", False), ("", False)])
def test_insecure_has_a_twin(text: str, *, meant: bool) -> None:
    assert parse_settings([], {"CHATBOOTH_INSECURE": text}).insecure is meant
    assert parse_settings(["--insecure"], {"CHATBOOTH_INSECURE": text}).insecure


@pytest.mark.parametrize(("flag", "text", "words"), WRONG)
def test_what_is_wrong_is_said_in_one_line(
    capsys: pytest.CaptureFixture[str], flag: str, text: str, words: str
) -> None:
    assert words in complaint(capsys, [f"{flag}={text}"], {})
    twin = "CHATBOOTH_" + flag.removeprefix("--").replace("-", "_").upper()
    assert words in complaint(capsys, [], {twin: text})


def test_what_is_no_flag_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--moon" in complaint(capsys, ["--moon", "full"], {})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "chat.example", "2001:db8::1", "", "127.0.0.1.example"])
def test_plain_text_off_loopback_must_be_meant(capsys: pytest.CaptureFixture[str], host: str) -> None:
    assert "--insecure" in complaint(capsys, ["--host", host], {})
    assert "--insecure" in complaint(capsys, [], {"CHATBOOTH_HOST": host})
    assert parse_settings(["--host", host, "--insecure"], {}).host == host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
def test_loopback_is_loopback(host: str) -> None:
    assert is_loopback(host)
    assert not parse_settings(["--host", host], {}).insecure


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        parse_settings(["--version"], {})
    assert exited.value.code == 0
    assert re.fullmatch(r"chatbooth \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


def test_without_grpc_there_must_be_the_wire(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse_settings([], {"CHATBOOTH_NO_GRPC": "1", "CHATBOOTH_WIRE_PORT": "0"}).grpc is False
    assert parse_settings(["--wire-port", "0"], {}).grpc is True
    assert "say --wire-port too" in complaint(capsys, ["--no-grpc"], {})
