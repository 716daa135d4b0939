"""A client in a forked child reports that, and does not touch its parent's connection."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.booth.model import OutgoingMessage
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.library.listening import Listening
from chatbooth_grpc.client.state.forks import OneProcess, UsedAfterFork
from chatbooth_grpc.client.state.outbox import Outbox
from tests.client.booths import PASSWORD, BoothTransport

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


class ClosingTransport(BoothTransport):
    """A transport that notes that it was closed."""

    is_closed = False

    def close(self) -> None:
        self.is_closed = True


def exit_code_of_child(work: Callable[[], bool]) -> int:
    """Run `work` in the child of a fork. Return 0 if it returned True."""
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if work() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def refused(work: Callable[[], object]) -> bool:
    try:
        work()
    except UsedAfterFork:
        return True
    return False


def test_every_use_in_a_child_is_refused(booth: Booth) -> None:
    transport = ClosingTransport(booth)
    client = ChatClient(transport)
    client.sign_up("ann", PASSWORD)
    stream = client.send_many([OutgoingMessage("ann", new_message_id(), b"tea")])
    listening = Listening(transport, b"t" * 16)
    uses: list[Callable[[], object]] = [
        lambda: client.log_in("ann", PASSWORD),
        lambda: client.send("ann", "tea"),
        client.deliver,
        lambda: next(client.list()),
        client.log_out,
        client.listen,
        lambda: next(stream),
        lambda: next(listening),
    ]

    def in_child() -> bool:
        client.close()
        listening.close()
        return all(map(refused, uses)) and not transport.is_closed

    assert exit_code_of_child(in_child) == 0
    client.send("ann", "tea")
    client.close()
    assert transport.is_closed


def test_an_outbox_belongs_to_one_process(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    outbox.put("ben", "tea")

    def in_child() -> bool:
        outbox.close()
        return all(map(refused, [outbox.waiting, lambda: outbox.put("ben", "milk"), lambda: outbox.drop(b"i" * 16)]))

    assert exit_code_of_child(in_child) == 0
    assert [message.text for message in outbox.waiting()] == ["tea"]
    outbox.close()


def test_a_process_recognises_itself() -> None:
    process = OneProcess()
    process.check()
    assert process.is_here
    assert exit_code_of_child(lambda: not process.is_here) == 0
    with pytest.raises(RuntimeError, match="open a client, and an outbox, in each process"):
        raise UsedAfterFork
