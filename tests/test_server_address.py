"""Server addresses: many spellings have one form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.server_address import (
    is_loopback,
    normal_address,
    other_names,
    parts_of,
    protected_address,
    server_identity,
)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("127.0.0.1", "127.0.0.1:50051"),
        ("localhost:50051", "localhost:50051"),
        (" LocalHost ", "localhost:50051"),
        ("chat.example.org:443", "chat.example.org:443"),
        ("host_1:0080", "host_1:80"),
        ("::1", "[::1]:50051"),
        ("[::1]", "[::1]:50051"),
        ("[0:0::0:1]:7", "[::1]:7"),
        ("FE80::1%eth0", "[fe80::1%eth0]:50051"),
        ("wire://Chat", "wire://chat:8080"),
        ("GRPC+TLS://Chat", "grpc+tls://chat:50051"),
        ("wire+tls://chat:1", "wire+tls://chat:1"),
        ("unix:/run/x/../chat.sock", "unix:/run/chat.sock"),
        ("wire+unix:///run/chat.sock", "wire+unix:/run/chat.sock"),
        ("unix:8080", "unix:8080"),
    ],
)
def test_every_spelling_has_one_form(written: str, normal: str) -> None:
    assert normal_address(written) == normal
    assert normal_address(normal) == normal


@pytest.mark.parametrize(
    "written",
    [
        "",
        ":1",
        "host:",
        "host:0",
        "host:65536",
        "host:x",
        "http://host",
        "grpc://host",
        "tls://host",
        "unix:",
        "unix:/" + "x" * 100,
        "a b",
        "../x",
        "[::1",
        "[zz]:1",
        "1:2:3:x",
        "é",
    ],
)
def test_a_word_that_is_not_an_address_is_refused(written: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the words are the standard library's for some
        normal_address(written)


@given(st.text(max_size=30))
def test_a_normal_address_names_one_directory(written: str) -> None:
    try:
        normal = normal_address(written)
    except ValueError:
        return
    assert "/" not in parts_of(normal).place or parts_of(normal).place.startswith("unix:/")
    assert normal not in {".", ".."}
    assert normal.isprintable()
    assert normal_address(normal) == normal


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("localhost:1", True),
        ("127.0.0.1:1", True),
        ("127.8.9.10:1", True),
        ("[::1]:1", True),
        ("127.0.0.1.example.org:1", False),
        ("10.0.0.1:1", False),
        ("[::2]:1", False),
        ("localhost.example.org:1", False),
        ("wire://localhost:1", True),
        ("grpc+tls://10.0.0.1:1", False),
        ("unix:/run/chat.sock", True),
        ("wire+unix:/run/chat.sock", True),
        ("unix:80", False),
    ],
)
def test_loopback_addresses_are_recognised(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback


@pytest.mark.parametrize(
    ("addresses", "identity"),
    [
        (["localhost", "LOCALHOST:50051", "localhost.", "127.0.0.1", "::1", "[0::1]:50051"], "127.0.0.1:50051"),
        (["wire://localhost", "wire://[::1]:8080", "WIRE://127.0.0.1"], "wire://127.0.0.1:8080"),
        (["chat.example.org.", "Chat.Example.org:50051"], "chat.example.org:50051"),
        (["127.0.0.2"], "127.0.0.2:50051"),
    ],
)
def test_a_server_has_one_identity(addresses: list[str], identity: str) -> None:
    normal = {*map(normal_address, addresses)}
    assert {server_identity(address) for address in normal} == {identity}
    assert normal <= {identity, *other_names(identity)}
    assert {server_identity(other) for other in other_names(identity)} == {identity}


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("chat:1", (False, False, "chat:1")),
        ("grpc+tls://chat:1", (False, True, "chat:1")),
        ("wire://chat:1", (True, False, "chat:1")),
        ("wire+tls://[::1]:1", (True, True, "[::1]:1")),
        ("unix:/run/chat", (False, False, "unix:/run/chat")),
        ("wire+unix:/run/chat", (True, False, "unix:/run/chat")),
    ],
)
def test_a_normal_address_has_parts(address: str, parts: tuple[bool, bool, str]) -> None:
    assert parts_of(address) == parts


@pytest.mark.parametrize(
    ("address", "protected"),
    [
        ("chat:1", "grpc+tls://chat:1"),
        ("grpc+tls://chat:1", "grpc+tls://chat:1"),
        ("wire+tls://chat:1", "wire+tls://chat:1"),
        ("localhost:1", "localhost:1"),
        ("grpc+tls://localhost:1", "grpc+tls://localhost:1"),
        ("wire://127.0.0.1:1", "wire://127.0.0.1:1"),
        ("unix:/run/chat", "unix:/run/chat"),
        ("wire+unix:/run/chat", "wire+unix:/run/chat"),
    ],
)
def test_what_others_can_read_is_encrypted(address: str, protected: str) -> None:
    assert protected_address(address, is_insecure=False) == protected
    assert protected_address(protected, is_insecure=False) == protected
    assert protected_address(address, is_insecure=True) == address


def test_plain_text_that_others_can_read_must_be_allowed() -> None:
    with pytest.raises(ValueError, match=r"write wire\+tls://chat:1, or say --insecure"):
        protected_address("wire://chat:1", is_insecure=False)
    assert protected_address("wire://chat:1", is_insecure=True) == "wire://chat:1"


def test_a_server_is_the_same_with_and_without_tls() -> None:
    assert server_identity("grpc+tls://localhost:1") == server_identity("127.0.0.1:1") == "127.0.0.1:1"
    assert server_identity("wire+tls://chat.:1") == server_identity("wire://chat:1") == "wire://chat:1"
    assert server_identity("wire+unix:/run/chat") == "wire+unix:/run/chat"
    assert other_names("unix:/run/chat") == []
