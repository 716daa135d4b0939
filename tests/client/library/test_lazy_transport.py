"""A transport that is made at its first call: once, again after a failure, and never after its end."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.errors import ServerUnreachable
from chatbooth_grpc.booth.model import OutgoingMessage
from chatbooth_grpc.client.library.lazy_transport import LazyTransport
from chatbooth_grpc.client.library.transport import Transport
from tests.booth.cheap_passwords import PASSWORD
from tests.contract.transports import transport_by
from tests.waiting import PATIENCE


def test_it_is_made_once_by_many_threads_and_hands_everything_on(tmp_path: Path) -> None:
    made: list[Transport] = []
    with transport_by("wire", tmp_path / "store") as direct:

        def make() -> Transport:
            made.append(direct)
            return direct

        lazy = LazyTransport(make, "server:1")
        assert made == []
        request = actions.LogInRequest("ann", PASSWORD, b"")
        token = lazy.call(actions.SIGN_UP, b"", request, PATIENCE).token
        message = OutgoingMessage("ann", b"\1" * 16, b"hello")
        threads = [threading.Thread(target=lazy.send, args=(token, message), kwargs={"timeout": 9}) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stream = lazy.send_stream(token)
        stream.send([message])
        assert len(stream.receive()) == 1
        stream.close()
        next(iter(lazy.listen(token, None)))
        lazy.close()
        assert made == [direct]
        with pytest.raises(ServerUnreachable, match="server:1"):
            lazy.send(token, message, timeout=PATIENCE)


def test_a_failure_is_tried_again_and_a_closed_one_is_never_made() -> None:
    tries: list[int] = []

    def fail() -> Transport:
        tries.append(1)
        raise ServerUnreachable("server:1")

    lazy = LazyTransport(fail, "server:1")
    for _ in range(2):
        with pytest.raises(ServerUnreachable):
            lazy.listen(b"", None)
    lazy.close()
    with pytest.raises(ServerUnreachable):
        lazy.listen(b"", None)
    assert len(tries) == 2
