"""Network addresses: their form, the addresses of a name, and those that cannot be bound."""

from __future__ import annotations

import errno
import socket
from contextlib import ExitStack

import pytest

from chatbooth_grpc.addresses import Host, ListenError, address_text, bind, look_up


@pytest.mark.parametrize(
    ("host", "text"),
    [
        ("127.0.0.1", "127.0.0.1:5000"),
        ("::1", "[::1]:5000"),
        ("2001:DB8:0::1", "[2001:db8::1]:5000"),
        ("::ffff:192.0.2.1", "192.0.2.1:5000"),
        ("chat.example", "chat.example:5000"),
    ],
)
def test_an_address_is_a_host_and_a_port(host: str, text: str) -> None:
    assert address_text(host, 5000) == text


@pytest.mark.parametrize("name", ["localhost", "LocalHost", "localhost."])
def test_localhost_is_both_families_whatever_the_resolver_answers(name: str) -> None:
    assert look_up(name, lambda *_, **__: pytest.fail("it was asked")).addresses == ("127.0.0.1", "::1")


@pytest.mark.parametrize("name", ["192.0.2.1", "::1", "[2001:db8::1]", "0.0.0.0"])
def test_a_numeric_address_stands_for_itself(name: str) -> None:
    assert look_up(name).addresses == (name.strip("[]"),)


@pytest.mark.parametrize("name", ["no-such-host.invalid", "a..b", "x" * 80, "two words", "\x00"])
def test_a_name_that_does_not_resolve_is_reported_in_one_clear_line(name: str) -> None:
    with pytest.raises(ListenError, match="does not resolve"):
        look_up(name)


def test_a_host_listens_on_one_port_of_all_its_addresses() -> None:
    with ExitStack() as closing:
        bound = [closing.enter_context(each) for each in bind(Host("both", ("127.0.0.1", "127.0.0.2", "::1")), 0)]
        assert [each.getsockname()[0] for each in bound] == ["127.0.0.1", "127.0.0.2", "::1"]
        assert len({each.getsockname()[1] for each in bound}) == 1


def test_an_address_that_this_machine_does_not_have_is_left_out() -> None:
    half: list[tuple[str, ...]] = [("192.0.2.1", "127.0.0.1"), ("127.0.0.1", "2001:db8::1")]
    for addresses in half:
        [bound] = bind(Host("half", addresses), 0)
        with bound:
            assert bound.getsockname()[0] == "127.0.0.1"
    none: list[tuple[str, ...]] = [("192.0.2.1",), ("192.0.2.1", "2001:db8::1")]
    for addresses in none:
        with pytest.raises(ListenError, match="cannot listen on none:0: the address is not this machine's"):
            bind(Host("none", addresses), 0)


def test_a_port_that_is_taken_on_one_address_counts_as_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=f"cannot listen on both:{port}: the port is taken"):
            bind(Host("both", ("127.0.0.1", "127.0.0.2")), port)
        # So the first address was released.
        [free] = bind(Host("one", ("127.0.0.1",)), port)
        free.close()


def test_the_error_of_a_port_that_needs_rights_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_socket: socket.socket, _address: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("socket.socket", type("Refusing", (socket.socket,), {"bind": refuse}))
    with pytest.raises(ListenError, match="choose a port from 1024 on"):
        bind(look_up("127.0.0.1"), 80)
