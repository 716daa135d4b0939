"""The settings and the connection limit that a gRPC server gets from its process."""

from __future__ import annotations

from typing import Protocol

from chatbooth_grpc.addresses import Host
from chatbooth_grpc.booth.model import Limits


class GrpcSettings(Protocol):
    """How a gRPC server runs. Times are in seconds. The help of the server's flags explains each setting."""

    @property
    def host(self) -> Host: ...

    @property
    def port(self) -> int: ...

    @property
    def threads(self) -> int: ...

    @property
    def max_calls(self) -> int: ...

    @property
    def max_send_streams(self) -> int: ...

    @property
    def max_send_streams_per_account(self) -> int: ...

    @property
    def reflection(self) -> bool: ...

    @property
    def idle_timeout(self) -> float: ...

    @property
    def keepalive_time(self) -> float: ...

    @property
    def keepalive_timeout(self) -> float: ...

    @property
    def max_connection_age(self) -> float: ...

    @property
    def drain_grace(self) -> float: ...

    @property
    def limits(self) -> Limits: ...


class ConnectionLimit(Protocol):
    """Limits the number of connections of a gRPC server."""

    @property
    def most(self) -> int:
        """How many connections there may be."""

    def begin(self) -> None:
        """Begin to count. The server calls this when it listens."""

    def look(self) -> None:
        """Check how many connections there are. The server calls this about once a second."""
