"""The keys under which limits count clients."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.client_addresses import ClientAddresses, read_networks


@pytest.mark.parametrize(
    ("peer", "key"),
    [
        ("192.0.2.7:51324", "192.0.2.7"),
        ("[2001:db8:1:2:3:4:5:6]:51324", "2001:db8:1:2::/64"),
        ("[2001:db8:1:2::]:1", "2001:db8:1:2::/64"),
        ("[2001:db8:1:3::]:1", "2001:db8:1:3::/64"),
        ("[fe80::1%eth0]:1", "fe80::/64"),
        ("[::ffff:192.0.2.7]:1", "192.0.2.7"),
        ("127.0.0.1:1", None),
        ("127.9.9.9:1", None),
        ("[::1]:1", None),
        ("[::ffff:127.0.0.1]:1", None),
        # gRPC gives a client of a unix socket no address.
        (":", None),
        ("", None),
    ],
)
def test_ipv4_counts_whole_and_ipv6_by_its_network(peer: str, key: str | None) -> None:
    assert ClientAddresses().key(peer) == key


def test_the_trusted_networks_are_those_that_the_operator_names() -> None:
    assert ClientAddresses(()).key("127.0.0.1:1") == "127.0.0.1"
    proxies = ClientAddresses(read_networks("10.0.0.0/8, 2001:db8::5"))
    peers = ("10.1.2.3:1", "[2001:db8::5]:1", "[2001:db8::6]:1", "127.0.0.1:1")
    assert [proxies.key(peer) for peer in peers] == [None, None, "2001:db8::/64", "127.0.0.1"]


def test_a_wrong_network_is_named() -> None:
    with pytest.raises(ValueError, match="moon"):
        read_networks("10.0.0.0/8,moon")
    assert read_networks(" ") == ()
