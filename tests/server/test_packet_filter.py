"""Addresses that the system keeps away from the ports of this process."""

from __future__ import annotations

import socket

import pytest

from chatbooth_grpc.server.packet_filter import CAN_FILTER, MOST_ADDRESSES, drop_packets_of

pytestmark = pytest.mark.skipif(not CAN_FILTER, reason="only Linux has these filters")

_DROPPED = 0.2
"""How many seconds show that a packet was dropped. A connection on this machine opens at once."""


def can_connect(port: int, source: str, host: str = "127.0.0.1", within: float = 30.0) -> bool:
    """Return whether a client at an address can connect."""
    try:
        socket.create_connection((host, port), within, source_address=(source, 0)).close()
    except TimeoutError:
        return False
    return True


def test_the_packets_of_some_addresses_are_dropped_until_there_are_none_to_drop() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        for _ in range(2):
            drop_packets_of(["192.0.2.1", "127.0.0.2", "2001:db8::/64"], [port])
            assert not can_connect(port, "127.0.0.2", within=_DROPPED)
            assert can_connect(port, "127.0.0.3")
            drop_packets_of([], [port])
            assert can_connect(port, "127.0.0.2")
        drop_packets_of([], [port])


def test_other_ports_have_no_filter() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        drop_packets_of(["127.0.0.2"], [1])
        assert can_connect(listening.getsockname()[1], "127.0.0.2")


def test_an_open_connection_stays() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        with socket.create_connection(address, 30, source_address=("127.0.0.2", 0)) as client:
            server, _ = listening.accept()
            drop_packets_of(["127.0.0.2"], [address[1]])
            with server:
                client.sendall(b"still here")
                assert server.recv(100) == b"still here"


def test_a_network_of_ipv6_is_dropped_on_a_socket_of_both_families() -> None:
    try:
        listening = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with listening:
        port = listening.getsockname()[1]
        drop_packets_of(["2001:db8::/64", "::/64", "127.0.0.2"], [port])
        assert not can_connect(port, "::1", "::1", _DROPPED)
        assert not can_connect(port, "127.0.0.2", within=_DROPPED)
        assert can_connect(port, "127.0.0.3")
        drop_packets_of(["2001:db8::/64", "0:0:0:1::/64"], [port])
        assert can_connect(port, "::1", "::1")


def test_a_filter_takes_as_many_addresses_as_there_may_be() -> None:
    keys = [f"2001:db8:0:{number:x}::/64" for number in range(2 * MOST_ADDRESSES)]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        drop_packets_of(["127.0.0.2", *keys], [port])
        assert not can_connect(port, "127.0.0.2", within=_DROPPED)
