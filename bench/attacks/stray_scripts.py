"""Attackers that speak no protocol to its end: garbage, handshakes, proxy headers, scrapes."""

from __future__ import annotations

import os

from bench.attacks import http2_scripts
from bench.attacks.crowd import Script
from bench.attacks.target import Target

_GARBAGE = os.urandom(4_096)
# A record of 512 bytes, of which only the beginning of a ClientHello comes.
_HALF_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + os.urandom(32)
_HALF_PROXY_HEADERS = (b"PROXY TCP4 192.0.2.7 ", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c")
_SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: chatbooth\r\n"


def garbage(target: Target, number: int) -> Script:
    """Send random bytes to one of the ports. Half of those to gRPC come after a good beginning."""
    address = (target.grpc, target.wire)[number % 2]
    beginning = http2_scripts.START if number % 4 == 0 else b""
    return Script(address, beginning + _GARBAGE, _GARBAGE)


def stalled_handshakes(target: Target, number: int) -> Script:
    """Begin a TLS handshake on one of the ports, and never end it."""
    return Script((target.grpc, target.wire)[number % 2], _HALF_HELLO)


def endless_proxy_headers(target: Target, number: int) -> Script:
    """Begin a PROXY header of version 1 or 2, and never end it."""
    return Script(target.wire, _HALF_PROXY_HEADERS[number % 2])


def scrapes(target: Target, number: int) -> Script:
    """Ask for the metrics, or send half of such a request. A third of the clients do not read the answer."""
    kind = number % 3
    return Script(target.metrics, _SCRAPE if kind == 1 else _SCRAPE + b"\r\n", lasts=0.5, reads=kind != 2)
