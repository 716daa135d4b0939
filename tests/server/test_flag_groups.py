"""The groups of the server's flags, as --help shows them."""

from __future__ import annotations

import re

import pytest

from chatbooth_grpc.server.flags import MODULE, Program, flag_parser, parse_settings

GROUPS = {
    "options": ["--help", "--version"],
    "listening": ["--host", "--proxy-protocol", "--port", "--wire-port", "--no-grpc", "--reflection"],
    "encryption": ["--tls", "--tls-cert", "--tls-key", "--tls-client-ca", "--insecure"],
    "storage": ["--store", "--restored", "--retain"],
    "accounts and sessions": ["--session-expiry", "--name-hold", "--sign-up", "--reserved-names"],
    "limits": [
        "--threads",
        "--max-calls",
        "--max-connections",
        "--max-grpc-connections",
        "--max-listeners",
        "--max-send-streams",
        "--max-mailbox",
        "--max-text-size",
    ],
    "shares": [
        "--max-listeners-per-account",
        "--max-send-streams-per-account",
        "--max-lists-per-account",
        "--max-log-ins-per-address",
        "--max-handshakes-per-address",
        "--max-incomplete-calls-per-address",
        "--max-connections-per-address",
    ],
    "rates": [
        "--requests-per-address",
        "--connections-per-address",
        "--sign-ups-per-address",
        "--log-ins-per-address",
        "--failed-log-ins-per-address",
        "--failed-log-ins-per-account",
        "--sends-per-account",
        "--trusted-addresses",
    ],
    "connections": [
        "--idle-timeout",
        "--keepalive-time",
        "--keepalive-timeout",
        "--max-connection-age",
        "--drain-grace",
    ],
    "monitoring": ["--log-level", "--log-format", "--metrics", "--traces", "--trace-sample"],
}


def groups_in_help(program: Program) -> dict[str, list[str]]:
    """Return the flags under each title of --help, in their order."""
    text = flag_parser(program).format_help()
    found = re.findall(r"^([a-z ]+):\n((?:  .*\n)+)", text, re.MULTILINE)
    return {title: re.findall(r"^  (?:-h, )?(--[a-z-]+)", entries, re.MULTILINE) for title, entries in found}


def test_help_shows_every_flag_in_its_group() -> None:
    assert groups_in_help(MODULE) == GROUPS


def test_a_program_with_one_port_has_the_same_groups() -> None:
    one_port = GROUPS | {"listening": ["--host", "--proxy-protocol", "--port"]}
    assert groups_in_help(Program("python main.py --server", wire_port=8080)) == one_port


@pytest.mark.parametrize(("flag", "lowest", "highest"), [("--threads", "1", "1000"), ("--drain-grace", "0", "3600")])
def test_both_bounds_of_a_value_are_allowed(flag: str, lowest: str, highest: str) -> None:
    name = flag.removeprefix("--").replace("-", "_")
    for text in (lowest, highest):
        assert getattr(parse_settings([flag, text], {}), name) == float(text)
