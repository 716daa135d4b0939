"""What a gRPC server must know of the process that runs it."""

from __future__ import annotations

from typing import Protocol

from chatbooth_grpc.addresses import Host
from chatbooth_grpc.booth.model import Limits


class GrpcSettings(Protocol):
    """How a gRPC server runs. Times in seconds; the flags of the server's command explain each."""

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
    """Bounds the connections of a gRPC server."""

    @property
    def most(self) -> int:
        """How many connections there may be."""

    def begin(self) -> None:
        """Begin to count, now that the server listens."""

    def look(self) -> None:
        """Look how many there are; called about once a second."""
