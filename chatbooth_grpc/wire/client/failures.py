"""Finds the cause of a failed connection in an error of the system or of the protocol."""

from __future__ import annotations

import errno
import socket

from chatbooth_grpc.booth import causes
from chatbooth_grpc.booth.errors import ServerUnreachable
from chatbooth_grpc.wire.encoding.frames import UnknownVersion

_BY_NUMBER = {
    errno.ECONNREFUSED: causes.REFUSED,
    errno.ETIMEDOUT: causes.TIMED_OUT,
    errno.EHOSTUNREACH: causes.NO_ROUTE,
    errno.ENETUNREACH: causes.NO_ROUTE,
    errno.EADDRNOTAVAIL: causes.NO_ROUTE,
    errno.EACCES: causes.NOT_PERMITTED,
    errno.EPERM: causes.NOT_PERMITTED,
}

_BY_FIRST_BYTE = {
    # The first byte of the size of HTTP/2's first frame.
    0x00: causes.SPEAKS_GRPC,
    ord("H"): causes.SPEAKS_HTTP,
    0x15: causes.SPEAKS_TLS,
    0x16: causes.SPEAKS_TLS,
}


def unreachable(server: str, error: BaseException | None = None) -> ServerUnreachable:
    """Return the error of a connection to `server` that failed with `error`."""
    return ServerUnreachable(server, cause=_cause(error))


def _cause(error: BaseException | None) -> str:
    if isinstance(error, UnknownVersion):
        return _BY_FIRST_BYTE.get(error.version, causes.SPEAKS_OTHER)
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return causes.NAME_UNKNOWN
    if isinstance(error, TimeoutError):
        return causes.TIMED_OUT
    if isinstance(error, OSError):
        return _BY_NUMBER.get(error.errno or 0, "")
    return ""
