"""Network addresses as both wires write them."""

from __future__ import annotations

import ipaddress


def address_text(host: str, port: int | str) -> str:
    """Return `HOST:PORT`, with IPv6 in brackets. An IPv4 client of an IPv6 socket is written as IPv4."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return f"{host}:{port}"
    if isinstance(address, ipaddress.IPv6Address):
        return f"{address.ipv4_mapped}:{port}" if address.ipv4_mapped else f"[{address}]:{port}"
    return f"{address}:{port}"
