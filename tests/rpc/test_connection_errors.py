"""The causes that gRPC's words give for a failed connection."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth import causes
from chatbooth_grpc.rpc.connection_errors import cause_of

ALL = "failed to connect to all addresses; last error: "


@pytest.mark.parametrize(
    ("details", "cause"),
    [
        ("errors resolving x.invalid:1: [field:hostname lookup error: Domain name not found]", causes.NAME_UNKNOWN),
        ("DNS resolution failed for x.invalid:1: C-ares status is not ARES_SUCCESS", causes.NAME_UNKNOWN),
        (f"{ALL}UNKNOWN: ipv4:127.0.0.1:1: Failed to connect to remote host: Connection refused", causes.REFUSED),
        (f"{ALL}UNKNOWN: ipv6:%5B100::1%5D:9: getsockopt(SO_ERROR): No route to host", causes.NO_ROUTE),
        (f"{ALL}UNKNOWN: ipv4:1.2.3.4:9: connect: Network is unreachable", causes.NO_ROUTE),
        (f"{ALL}UNKNOWN: ipv4:1.2.3.4:9: connect: Permission denied", causes.NOT_PERMITTED),
        (f"{ALL}UNKNOWN: ipv4:1.2.3.4:9: Failed to connect: Connection timed out", causes.TIMED_OUT),
        (f"{ALL}UNKNOWN: ipv4:1.2.3.4:9: tcp handshaker shutdown", causes.TIMED_OUT),
        (f"{ALL}UNAVAILABLE: ipv4:127.0.0.1:1: Socket closed", causes.CLOSED),
        ("Socket closed", ""),
        ("recvmsg:Connection reset by peer", ""),
        ("Received http2 header with status: 404", causes.SPEAKS_HTTP),
        ("", ""),
    ],
)
def test_each_is_known(details: str, cause: str) -> None:
    assert cause_of(details) == cause
