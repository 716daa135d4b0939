"""Network addresses as both wires write them."""

from __future__ import annotations

import pytest

from chatbooth_grpc.addresses import address_text


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
