"""Finds the cause of a failed connection in an error of the system or of the protocol."""

from __future__ import annotations

import errno
import re
import socket

from chatbooth_grpc.booth import causes
from chatbooth_grpc.booth.errors import ServerUnreachable
from chatbooth_grpc.wire.encoding.frames import UnknownVersion
from chatbooth_grpc.wire.streams.byte_stream import TlsFailed

_BY_NUMBER = {
    errno.ECONNREFUSED: causes.REFUSED,
    errno.ETIMEDOUT: causes.TIMED_OUT,
    errno.EHOSTUNREACH: causes.NO_ROUTE,
    errno.ENETUNREACH: causes.NO_ROUTE,
    errno.EADDRNOTAVAIL: causes.NO_ROUTE,
    errno.ENOENT: causes.REFUSED,
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


_BY_WORDS_OF_TLS = (
    (r"CERTIFICATE_VERIFY_FAILED", causes.NOT_VERIFIED),
    (r"WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE|HTTP_REQUEST", causes.SPEAKS_PLAIN),
    (r"ALERT_(CERTIFICATE_REQUIRED|UNKNOWN_CA|BAD_CERTIFICATE)|CERTIFICATE_REQUIRED", causes.CLIENT_CERTIFICATE),
)
"""OpenSSL's names for what fails in a handshake."""


def _of_tls(words: str) -> str:
    return next((cause for pattern, cause in _BY_WORDS_OF_TLS if re.search(pattern, words)), "")


def _cause(error: BaseException | None) -> str:
    if isinstance(error, UnknownVersion):
        return _BY_FIRST_BYTE.get(error.version, causes.SPEAKS_OTHER)
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return causes.NAME_UNKNOWN
    if isinstance(error, TlsFailed):
        return _of_tls(str(error))
    if isinstance(error, TimeoutError):
        return causes.TIMED_OUT
    if isinstance(error, OSError):
        return _BY_NUMBER.get(error.errno or 0, "")
    return ""
