"""The flag --host: names, loopback addresses, and consent to plain text."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from chatbooth_grpc.addresses import Host, ListenError
from chatbooth_grpc.server.flags import (
    parse_settings,
)
from chatbooth_grpc.server.twins import FlagError
from tests.server.complaints import complaint


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "2001:db8::1"])
def test_plain_text_off_loopback_needs_a_flag(host: str) -> None:
    for said in (complaint(["--host", host], {}), complaint(["--host", host], {"CHATBOOTH_HOST": "::1"})):
        assert said.startswith(f"--host {host} would send passwords and messages in plain text")
        assert "or say --insecure (CHATBOOTH_INSECURE=1)" in said
    assert complaint([], {"CHATBOOTH_HOST": host}).startswith(f"CHATBOOTH_HOST={host} would send")
    assert parse_settings(["--host", host, "--insecure"], {}).host.name == host


def resolving_to(*addresses: str) -> Callable[..., object]:
    """Return a resolver that knows one answer."""
    return lambda _name, _port, **_: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 0)) for each in addresses]


def test_a_host_name_is_replaced_by_its_addresses() -> None:
    arguments = ["--host", "chat.example"]
    inside = resolving_to("127.0.0.2", "::1")
    assert parse_settings(arguments, {}, resolve=inside).host == Host("chat.example", ("127.0.0.2", "::1"))
    for outside in (resolving_to("192.0.2.1"), resolving_to("127.0.0.1", "192.0.2.1")):
        with pytest.raises(FlagError, match=r"--host chat.example would send passwords .* --insecure"):
            parse_settings(arguments, {}, resolve=outside)
        assert parse_settings([*arguments, "--insecure"], {}, resolve=outside).host.name == "chat.example"


@pytest.mark.parametrize("insecure", [[], ["--insecure"]])
def test_a_host_name_that_does_not_resolve_is_named_in_the_refusal(insecure: list[str]) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(ListenError, match=r"the host chat.example does not resolve \(name or service not known\)"):
        parse_settings(["--host", "chat.example", *insecure], {}, resolve=unknown)


@pytest.mark.parametrize("host", ["", " "])
def test_a_host_must_not_be_empty(host: str) -> None:
    assert complaint(["--host", host], {}).startswith("--host: the address is missing")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LOCALHOST."])
def test_loopback_addresses_are_recognised(host: str) -> None:
    settings = parse_settings(["--host", host], {})
    assert not settings.insecure
    assert settings.host.is_loopback
