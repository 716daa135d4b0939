"""A transport to a running wire server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chatbooth_grpc.wire.client.wire_transport import WireTransport
from tests.wire.running import Running


@pytest.fixture
def transport(running: Running) -> Iterator[WireTransport]:
    """A transport to the running server."""
    transport = WireTransport(running.address)
    yield transport
    transport.close()
