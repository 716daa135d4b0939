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

    def most_on_each(self, addresses: int) -> int:
        """Return how many connections gRPC may accept on each of several addresses on which it listens."""

    def begin(self, listening: int | str) -> None:
        """Begin to count. The server calls this when it listens on a port, or on the path of a unix socket."""

    def look(self) -> float:
        """End the connections above the limits. Return after how many seconds the server calls this again."""

    def wait(self, seconds: float) -> None:
        """Wait that long, or until another look is needed."""
