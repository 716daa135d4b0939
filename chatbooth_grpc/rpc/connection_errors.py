"""Finds the cause in gRPC's words when a gRPC channel does not connect."""

from __future__ import annotations

import re

from chatbooth_grpc.booth import causes

_CAUSES = [
    (r"errors resolving|DNS resolution failed|address lookup failed", causes.NAME_UNKNOWN),
    (r"CERTIFICATE_VERIFY_FAILED|Hostname Verification Check failed", causes.NOT_VERIFIED),
    (r"WRONG_VERSION_NUMBER|Tls handshake failed.*(?:UNEXPECTED_MESSAGE|HTTP_REQUEST)", causes.SPEAKS_PLAIN),
    (r"ALERT_(?:CERTIFICATE_REQUIRED|UNKNOWN_CA|BAD_CERTIFICATE)|CERTIFICATE_REQUIRED", causes.CLIENT_CERTIFICATE),
    (r"http1\.x server|http2 header with status", causes.SPEAKS_HTTP),
    (r"Expected SETTINGS frame as the first frame, got frame type 0\)", causes.SPEAKS_WIRE),
    (r"Expected SETTINGS frame as the first frame", causes.SPEAKS_OTHER),
    (r"Connection refused", causes.REFUSED),
    (r"No route to host|[Nn]etwork is unreachable|Cannot assign requested address", causes.NO_ROUTE),
    (r"Permission denied|Operation not permitted", causes.NOT_PERMITTED),
    (r"failed to connect.*(?:[Tt]imed? ?out|DEADLINE_EXCEEDED|tcp handshaker shutdown)", causes.TIMED_OUT),
    (r"failed to connect.*(?:Socket closed|Connection reset)", causes.CLOSED),
]


def cause_of(details: str) -> str:
    """Return the cause that the details of a call's status name. It is empty if the table has none of their words."""
    return next((cause for pattern, cause in _CAUSES if re.search(pattern, details, re.DOTALL)), "")
