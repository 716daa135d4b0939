"""The server's flags and the variables that replace them."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from inspect import signature
from pathlib import Path

import pytest

from chatbooth_grpc.addresses import Host, Peers
from chatbooth_grpc.booth.client_addresses import read_networks
from chatbooth_grpc.booth.model import SignUpPolicy
from chatbooth_grpc.booth.rates import Rate
from chatbooth_grpc.environment import SERVER_VARIABLES
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.server.flag_groups import DEFAULT_THREADS
from chatbooth_grpc.server.flags import (
    MODULE,
    Endpoint,
    Program,
    Settings,
    flag_parser,
    parse_settings,
    wanted_log_format,
)
from chatbooth_grpc.server.twins import FlagError
from chatbooth_grpc.wire.server.wire_server import WireSettings
from tests.server.complaints import complaint

DAY = 86_400.0

TWINS: list[tuple[str, str, str, object]] = [
    ("--host", "CHATBOOTH_HOST", "::1", Host("::1", ("::1",))),
    ("--port", "CHATBOOTH_PORT", "0", 0),
    ("--wire-port", "CHATBOOTH_WIRE_PORT", "8080", 8080),
    ("--proxy-protocol", "CHATBOOTH_PROXY_PROTOCOL", "unix", Peers((), has_sockets=True)),
    ("--store", "CHATBOOTH_STORE", "/var/lib/chat.db", Path("/var/lib/chat.db")),
    ("--threads", "CHATBOOTH_THREADS", "3", 3),
    ("--max-calls", "CHATBOOTH_MAX_CALLS", "100", 100),
    ("--max-connections", "CHATBOOTH_MAX_CONNECTIONS", "9", 9),
    ("--max-grpc-connections", "CHATBOOTH_MAX_GRPC_CONNECTIONS", "8", 8),
    ("--max-listeners", "CHATBOOTH_MAX_LISTENERS", "5", 5),
    ("--max-mailbox", "CHATBOOTH_MAX_MAILBOX", "0", 0),
    ("--max-send-streams", "CHATBOOTH_MAX_SEND_STREAMS", "7", 7),
    ("--max-listeners-per-account", "CHATBOOTH_MAX_LISTENERS_PER_ACCOUNT", "4", 4),
    ("--max-send-streams-per-account", "CHATBOOTH_MAX_SEND_STREAMS_PER_ACCOUNT", "2", 2),
    ("--max-lists-per-account", "CHATBOOTH_MAX_LISTS_PER_ACCOUNT", "3", 3),
    ("--max-log-ins-per-address", "CHATBOOTH_MAX_LOG_INS_PER_ADDRESS", "5", 5),
    ("--max-handshakes-per-address", "CHATBOOTH_MAX_HANDSHAKES_PER_ADDRESS", "8", 8),
    ("--max-incomplete-calls-per-address", "CHATBOOTH_MAX_INCOMPLETE_CALLS_PER_ADDRESS", "7", 7),
    ("--max-connections-per-address", "CHATBOOTH_MAX_CONNECTIONS_PER_ADDRESS", "6", 6),
    ("--max-text-size", "CHATBOOTH_MAX_TEXT_SIZE", "16MiB", 16 << 20),
    ("--session-expiry", "CHATBOOTH_SESSION_EXPIRY", "7d", 7 * DAY),
    ("--name-hold", "CHATBOOTH_NAME_HOLD", "0", 0.0),
    ("--sign-up", "CHATBOOTH_SIGN_UP", "invite", SignUpPolicy.INVITE),
    ("--reserved-names", "CHATBOOTH_RESERVED_NAMES", "Boss, chief", frozenset({"boss", "chief"})),
    ("--retain", "CHATBOOTH_RETAIN", "1h", 3_600.0),
    ("--idle-timeout", "CHATBOOTH_IDLE_TIMEOUT", "1m", 60.0),
    ("--keepalive-time", "CHATBOOTH_KEEPALIVE_TIME", "5s", 5.0),
    ("--keepalive-timeout", "CHATBOOTH_KEEPALIVE_TIMEOUT", "500ms", 0.5),
    ("--max-connection-age", "CHATBOOTH_MAX_CONNECTION_AGE", "1h", 3_600.0),
    ("--drain-grace", "CHATBOOTH_DRAIN_GRACE", "0", 0.0),
    ("--requests-per-address", "CHATBOOTH_REQUESTS_PER_ADDRESS", "5/s", Rate(5, 1.0, 5)),
    ("--connections-per-address", "CHATBOOTH_CONNECTIONS_PER_ADDRESS", "6/s", Rate(6, 1.0, 6)),
    ("--sign-ups-per-address", "CHATBOOTH_SIGN_UPS_PER_ADDRESS", "2/10m", Rate(2, 600.0, 2)),
    ("--log-ins-per-address", "CHATBOOTH_LOG_INS_PER_ADDRESS", "0", None),
    ("--failed-log-ins-per-address", "CHATBOOTH_FAILED_LOG_INS_PER_ADDRESS", "9/d:3", Rate(9, DAY, 3)),
    ("--failed-log-ins-per-account", "CHATBOOTH_FAILED_LOG_INS_PER_ACCOUNT", "70/h", Rate(70, 3_600.0, 70)),
    ("--sends-per-account", "CHATBOOTH_SENDS_PER_ACCOUNT", "1/s:1000", Rate(1, 1.0, 1_000)),
    ("--trusted-addresses", "CHATBOOTH_TRUSTED_ADDRESSES", "10.0.0.0/8, ::2", read_networks("10.0.0.0/8,::2")),
    ("--log-level", "CHATBOOTH_LOG_LEVEL", "debug", "debug"),
    ("--log-format", "CHATBOOTH_LOG_FORMAT", "json", "json"),
    ("--metrics", "CHATBOOTH_METRICS", "[::1]:9464", Endpoint(Host("::1", ("::1",)), 9464)),
    ("--traces", "CHATBOOTH_TRACES", "https://traces.example:4318", "https://traces.example:4318"),
    ("--trace-sample", "CHATBOOTH_TRACE_SAMPLE", "0.5", 0.5),
]

SHARES = {
    "max_lists_per_account": "lists",
    "max_log_ins_per_address": "log_ins",
    "max_handshakes_per_address": "handshakes",
    "max_incomplete_calls_per_address": "incomplete_calls",
    "max_connections_per_address": "connections",
}
"""The flags of `ShareLimits`, and their fields."""

ENCRYPTION = ("--tls", "--tls-cert", "--tls-key", "--tls-client-ca")
"""Flags that mean something only together. tests/server/test_encryption.py tests them and their twins."""

WRONG: list[tuple[str, str, str]] = [
    ("--port", "65536", "65536 is not within 0 and 65,535"),
    ("--port", "-1", "-1 is not within"),
    ("--port", "http", "'http' is not a whole number"),
    ("--threads", "1.5", "'1.5' is not a whole number"),
    ("--threads", "0", "0 is not within 1 and 1,000"),
    ("--max-calls", "15", "15 is not within"),
    ("--max-text-size", "17MiB", "17MiB is not within 1 and 16,777,216"),
    ("--max-text-size", "0", "0 is not within"),
    ("--max-text-size", "1MB", "'1MB' is not a size"),
    ("--session-expiry", "0", "0 is not within"),
    ("--session-expiry", "month", "'month' is not a duration"),
    ("--sign-up", "friends", "invalid choice"),
    ("--reserved-names", "a b", "'a b' is not a list of usernames"),
    ("--retain", "-1", "'-1' is not a duration"),
    ("--retain", "3651d", "3651d is not within 0 and 315,360,000"),
    ("--retain", "for ever", "'for ever' is not a duration"),
    ("--drain-grace", "2h", "2h is not within"),
    ("--keepalive-timeout", "0", "0 is not within 0.1 and"),
    ("--log-level", "loud", "loud"),
    ("--log-format", "xml", "xml"),
    ("--sign-ups-per-address", "ten an hour", "'ten an hour' is not a rate; write COUNT/TIME"),
    ("--sign-ups-per-address", "5/s:", "'5/s:' is not a rate"),
    ("--sign-ups-per-address", "0/s", "'0/s' would allow nothing; 0 alone means no limit"),
    ("--sign-ups-per-address", "5/0s", "would allow nothing"),
    ("--sign-ups-per-address", "5/year", "is not a duration"),
    ("--sends-per-account", "5/s", "5/s allows no batch; write 5/s:1000"),
    ("--trusted-addresses", "10.0.0.1/8", "10.0.0.1/8 has host bits set; write networks such as 10.0.0.0/8"),
    ("--metrics", "9464", "'9464' is not HOST:PORT"),
    ("--metrics", "127.0.0.1:", "is not HOST:PORT"),
    ("--metrics", "::1:9464", "is not HOST:PORT"),
    ("--metrics", "127.0.0.1:65536", "is not HOST:PORT"),
    ("--traces", "127.0.0.1:4318", "'127.0.0.1:4318' is not a URL such as http://127.0.0.1:4318, and not env"),
    ("--traces", "http://", "is not a URL"),
    ("--traces", "http://a:x", "is not a URL"),
    ("--traces", "http://a:4318/?key=1", "is not a URL"),
    ("--traces", "http://ann:guess@a:4318", "the URL may have no password"),
    ("--trace-sample", "1%", "'1%' is not a number from 0 to 1, such as 0.01"),
    ("--trace-sample", "1.1", "is not a number from 0 to 1"),
    ("--trace-sample", "nan", "is not a number from 0 to 1"),
]


def value(settings: Settings, flag: str) -> object:
    """Return the value that a flag set."""
    name = flag.removeprefix("--").replace("-", "_")
    if name in SHARES:
        return getattr(settings.shares, SHARES[name])
    limit = {"max_text_size": "text_size"}.get(name, name)
    group = next((group for group in (settings.limits, settings.rates) if hasattr(group, limit)), settings)
    return getattr(group, limit)


def test_defaults_are_safe() -> None:
    settings = parse_settings([], {})
    assert (settings.host.name, settings.port, settings.store) == ("127.0.0.1", 50051, Path("chatbooth.db"))
    assert (settings.insecure, settings.threads, settings.max_calls) == (False, DEFAULT_THREADS, 2_000)
    assert (settings.limits.text_size, settings.limits.session_expiry) == (1 << 20, 30 * DAY)
    assert (settings.limits.name_hold, settings.drain_grace) == (30 * DAY, 10.0)
    assert settings.limits.retain == 30 * DAY
    assert settings.limits.sign_up is SignUpPolicy.OPEN
    assert {"admin", "root", "support", "chatbooth"} <= settings.limits.reserved_names
    assert parse_settings(["--reserved-names", ""], {}).limits.reserved_names == frozenset()
    more = parse_settings(["--reserved-names", "standard,boss"], {}).limits.reserved_names
    assert more == settings.limits.reserved_names | {"boss"}
    assert (settings.log_level, settings.log_format) == ("info", "text")


@pytest.mark.parametrize(("flag", "variable", "text", "expected"), TWINS, ids=[twin[0] for twin in TWINS])
def test_each_flag_has_a_variable_and_wins_over_it(flag: str, variable: str, text: str, expected: object) -> None:
    default = value(parse_settings([], {}), flag)
    assert default != expected
    assert value(parse_settings([flag, text], {}), flag) == expected
    assert value(parse_settings([], {variable: text}), flag) == expected
    assert value(parse_settings([flag, text], {variable: _default_as_text(flag)}), flag) == expected


def _default_as_text(flag: str) -> str:
    return {
        "--host": "127.0.0.1",
        "--store": "other.db",
        "--log-level": "info",
        "--log-format": "text",
        "--metrics": "127.0.0.1:1",
        "--traces": "env",
        "--trace-sample": "1",
        "--trusted-addresses": "10.0.0.1",
        **{twin[0]: "64/s:1000" for twin in TWINS if isinstance(twin[3], Rate | None)},
    }.get(flag, "64")


def test_no_flag_lacks_a_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_settings(["--help"], {})
    flags = set(re.findall(r"^ +(?:-h, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    switches = {"--help", "--version", "--insecure", "--no-grpc", "--reflection", "--restored"}
    assert flags == {twin[0] for twin in TWINS} | switches | set(ENCRYPTION)


def flags_in_help(capsys: pytest.CaptureFixture[str], program: Program) -> dict[str, str]:
    """Return each flag that --help lists, with its default. The default of a switch is "off"."""
    with pytest.raises(SystemExit):
        parse_settings(["--help"], {}, program)
    found = {}
    for entry in re.split(r"\n  (?=-)", capsys.readouterr().out)[1:]:
        flag = re.match(r"(?:-h, )?(--[a-z-]+)", entry)
        assert flag, entry
        default = re.search(r"\(default:\s+((?:[^),]|,(?=\S))+)", entry)
        found[flag[1]] = default[1] if default else "off"
    return found


def test_the_readmes_table_has_every_flag_and_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    described: dict[str, str] = {}
    for flags, defaults in re.findall(r"^\| (`--[^|]+) \| ([^|]+) \|", readme, re.MULTILINE):
        described |= zip(re.findall(r"--[a-z-]+", flags), defaults.split(", "), strict=True)
    listed = flags_in_help(capsys, MODULE)
    assert described == {flag: default for flag, default in listed.items() if flag not in ("--help", "--version")}


def test_the_first_command_line_has_the_same_flags_and_one_port(capsys: pytest.CaptureFixture[str]) -> None:
    first = Program("python main.py --server", wire_port=8080)
    module = flags_in_help(capsys, MODULE)
    assert flags_in_help(capsys, first).keys() == module.keys() - {"--wire-port", "--no-grpc", "--reflection"}
    settings = parse_settings([], {}, first)
    assert (settings.grpc, settings.wire_port) == (False, 8080)
    assert parse_settings(["--port", "1"], {"CHATBOOTH_WIRE_PORT": "2"}, first).wire_port == 1
    assert parse_settings([], {"CHATBOOTH_WIRE_PORT": "2", "CHATBOOTH_PORT": "http"}, first).wire_port == 2
    with pytest.raises(FlagError, match=r"^--port: .*; python main.py --server --help lists the flags$"):
        parse_settings(["--port", "http"], {}, first)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1", True),
        ("true", True),
        ("YES", True),
        ("on ", True),
        ("0", False),
        ("No", False),
        ("off", False),
        ("", False),
    ],
)
def test_a_switch_has_a_variable(text: str, *, meant: bool) -> None:
    assert parse_settings([], {"CHATBOOTH_INSECURE": text}).insecure is meant
    assert parse_settings(["--insecure"], {"CHATBOOTH_INSECURE": text}).insecure
    assert parse_settings([], {"CHATBOOTH_RESTORED": text}).restored is meant
    assert parse_settings(["--wire-port", "0"], {"CHATBOOTH_NO_GRPC": text}).grpc is not meant


@pytest.mark.parametrize("variable", ["CHATBOOTH_INSECURE", "CHATBOOTH_NO_GRPC"])
@pytest.mark.parametrize("text", ["maybe", "2", "truee", "-"])
def test_a_switch_that_is_neither_yes_nor_no_is_refused(variable: str, text: str) -> None:
    assert (
        complaint([], {variable: text}) == f"{variable} in the environment: {text!r} is neither yes nor no; say 1 or 0"
    )


@pytest.mark.parametrize("empty", ["", " ", "\t"])
def test_an_empty_variable_counts_as_unset(empty: str) -> None:
    assert parse_settings([], dict.fromkeys(SERVER_VARIABLES, empty)) == parse_settings([], {})


def test_each_variable_has_a_flag() -> None:
    assert flag_parser().twins.keys() == SERVER_VARIABLES


def test_variables_that_kubernetes_sets_are_not_settings() -> None:
    links = {
        "CHATBOOTH_PORT": "tcp://10.0.0.1:50051",
        "CHATBOOTH_WIRE_PORT": "tcp://10.0.0.1:8080",
        "CHATBOOTH_SERVICE_HOST": "10.0.0.1",
    }
    assert parse_settings([], links) == parse_settings([], {})


@pytest.mark.parametrize(
    ("arguments", "environment", "log_format"),
    [
        ([], {}, "text"),
        (["--log-format", "json"], {}, "json"),
        (["--moon", "--log-format=json", "--port"], {}, "json"),
        (["--log-format", "json", "--log-format", "text"], {}, "text"),
        (["--log-format"], {}, "text"),
        ([], {"CHATBOOTH_LOG_FORMAT": "json"}, "json"),
        (["--log-format", "text"], {"CHATBOOTH_LOG_FORMAT": "json"}, "text"),
        (["--log-format", "xml"], {"CHATBOOTH_LOG_FORMAT": "json"}, "text"),
        ([], {"CHATBOOTH_LOG_FORMAT": ""}, "text"),
    ],
)
def test_the_log_format_is_known_before_the_flags_are_checked(
    arguments: list[str], environment: dict[str, str], log_format: str
) -> None:
    assert wanted_log_format(arguments, environment) == log_format


@pytest.mark.parametrize(("flag", "text", "words"), WRONG)
def test_a_wrong_value_is_refused_in_one_line_that_names_its_flag_or_variable(flag: str, text: str, words: str) -> None:
    said = complaint([f"{flag}={text}"], {})
    assert said.startswith(f"{flag}: ")
    assert words in said
    twin = "CHATBOOTH_" + flag.removeprefix("--").replace("-", "_").upper()
    said = complaint([], {twin: text})
    assert said.startswith(f"{twin} in the environment: ")
    assert words in said
    assert flag not in said


def test_a_wrong_variable_does_not_matter_if_the_flag_is_given() -> None:
    assert parse_settings(["--port", "1"], {"CHATBOOTH_PORT": "http"}).port == 1
    assert parse_settings(["--insecure"], {"CHATBOOTH_INSECURE": "perhaps"}).insecure


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--moon", "full"], "there is no flag --moon;"),
        (["--prot", "1"], "there is no flag --prot, did you mean --port?;"),
        (["--max-text=1"], "there is no flag --max-text, did you mean --max-text-size?;"),
        (["store.db"], "unexpected 'store.db': there are only flags;"),
        (["--port"], "--port: expected one argument;"),
        (["--insecure=no"], "--insecure: ignored explicit argument 'no';"),
    ],
)
def test_an_unknown_flag_is_refused(arguments: list[str], words: str) -> None:
    said = complaint(arguments, {})
    assert said == f"{words} python -m chatbooth_grpc.server --help lists the flags"


def test_the_help_names_the_program_as_it_was_started() -> None:
    with pytest.raises(FlagError, match="chatbooth-server --help lists the flags"):
        parse_settings(["--moon"], {}, Program("chatbooth-server"))


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exited:
        parse_settings(["--version"], {})
    assert exited.value.code == 0
    assert re.fullmatch(r"chatbooth \d+\.\d+\.\d+\S*\n", capsys.readouterr().out)


def test_a_server_without_grpc_needs_the_wire() -> None:
    assert parse_settings([], {"CHATBOOTH_NO_GRPC": "1", "CHATBOOTH_WIRE_PORT": "0"}).grpc is False
    assert parse_settings(["--wire-port", "0"], {}).grpc is True
    assert complaint(["--no-grpc"], {}).startswith("--no-grpc leaves nothing to serve; give --wire-port")
    assert complaint([], {"CHATBOOTH_NO_GRPC": "on"}).startswith("CHATBOOTH_NO_GRPC=1 leaves nothing to serve")


def test_each_default_in_the_help_is_the_real_one(capsys: pytest.CaptureFixture[str]) -> None:
    settings = parse_settings([], {})
    defaults = {flag: text for flag, text in flags_in_help(capsys, MODULE).items() if text != "off"}
    assert len(defaults) > 15
    for flag, text in defaults.items():
        if flag not in ("--help", "--version"):
            assert value(parse_settings([flag, text.strip()], {}), flag) == value(settings, flag), flag


def test_a_wire_server_without_settings_has_the_defaults_of_the_flags() -> None:
    settings = parse_settings([], {})
    wire = {each.name: each.default for each in fields(WireSettings) if each.name in Settings.__annotations__}
    shared = {name: default for name, default in wire.items() if default is not MISSING}
    assert shared.keys() == {"max_connections", "idle_timeout", "keepalive_time", "keepalive_timeout"}
    assert shared == {name: getattr(settings, name) for name in shared}


def test_a_switchboard_without_settings_has_the_defaults_of_the_flags() -> None:
    defaults = signature(Switchboard).parameters
    settings = parse_settings([], {})
    assert defaults["max_listeners"].default == settings.max_listeners
    assert defaults["per_account"].default == settings.max_listeners_per_account


def test_metrics_off_loopback_need_consent() -> None:
    with pytest.raises(
        FlagError, match=r"--metrics 0\.0\.0\.0:9464 would show the metrics .*127\.0\.0\.1:9464.*--insecure"
    ):
        parse_settings(["--metrics", "0.0.0.0:9464"], {})
    consented = parse_settings(["--metrics", "0.0.0.0:9464", "--insecure"], {})
    assert consented.metrics == Endpoint(Host("0.0.0.0", ("0.0.0.0",)), 9464)


def test_no_address_may_be_trusted() -> None:
    assert parse_settings(["--trusted-addresses", "none"], {}).trusted_addresses == ()
    assert parse_settings(["--trusted-addresses", ""], {}).trusted_addresses == ()
