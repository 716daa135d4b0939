"""One server process with both wires: a message of one is delivered on the other."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

import pytest

from bench.server_process import ServerProcess
from chatbooth_grpc.booth.model import MessageBatch
from chatbooth_grpc.client.library.chat_client import ChatClient

PASSWORD = "a long password"
PATIENCE = 30.0


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """Return a server with both wires."""
    with ServerProcess() as running:
        yield running


@pytest.mark.parametrize("there", ["grpc", "wire"])
def test_a_message_sent_on_one_wire_is_delivered_on_the_other(server: ServerProcess, there: str) -> None:
    here = "wire" if there == "grpc" else "grpc"
    listening_at, sending_at = getattr(server, there), getattr(server, here)
    with ChatClient.connect(listening_at) as listener, ChatClient.connect(sending_at) as sender:
        listener.sign_up(f"listener-{there}", PASSWORD)
        sender.sign_up(f"sender-{there}", PASSWORD)
        received: queue.SimpleQueue[str] = queue.SimpleQueue()
        opened = threading.Event()
        stream = listener.listen(on_resumed=lambda _: opened.set())

        def read() -> None:
            for event in stream:
                assert isinstance(event, MessageBatch)
                for message in event.messages:
                    received.put(message.text)

        reader = threading.Thread(target=read)
        reader.start()
        assert opened.wait(PATIENCE)
        for number in range(20):
            sender.send(f"listener-{there}", f"live {number}")
        assert [received.get(timeout=PATIENCE) for _ in range(20)] == [f"live {number}" for number in range(20)]
        stream.close()
        reader.join(PATIENCE)
        listener.acknowledge(20)
        sender.send(f"listener-{there}", "later")
        assert [message.text for message in listener.deliver().messages] == ["later"]


def test_a_session_is_valid_on_both_wires(server: ServerProcess) -> None:
    with ChatClient.connect(server.grpc) as first:
        session = first.sign_up("ann-of-both", PASSWORD)
        with ChatClient.connect(server.wire, session=session) as second:
            second.send("ann-of-both", "to myself")
            [message] = first.deliver().messages
            assert (message.text, message.sender) == ("to myself", "ann-of-both")
            second.log_out()
