"""SendMany: a receipt for each batch, the order after failures, its pool and its drain."""

from __future__ import annotations

import itertools
import logging
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.booth import MAX_SENT_TOGETHER
from chatbooth_grpc.booth.deadline import current_deadline
from chatbooth_grpc.booth.errors import StoreUnavailable
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt, Session
from chatbooth_grpc.client import text_message
from chatbooth_grpc.client.library.chat_client import ChatClient
from tests.booth.spies import Gate
from tests.rpc.conftest import BOTH_GRPCIOS, Start
from tests.rpc.running import PATIENCE, Running, bearer, refusal
from tests.waiting import wait_until

pytestmark = BOTH_GRPCIOS

Code = grpc.StatusCode
WRONG = Code.INVALID_ARGUMENT


def batch(*texts: str, recipient: str = "ann") -> pb.SendManyRequest:
    """Return a batch of texts, each with a new message id."""
    messages = [pb.SendRequest(recipient=recipient, message_id=os.urandom(16), text=text) for text in texts]
    return pb.SendManyRequest(messages=messages)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that holds nobody after the test."""
    gate = Gate()
    yield gate
    gate.open()


class Stream:
    """A client's stream. It sends a request each time that the test calls `send`."""

    def __init__(self, running: Running, session: pb.Session | bytes) -> None:
        self._batches: queue.SimpleQueue[pb.SendManyRequest | None] = queue.SimpleQueue()
        self.call: Any = running.stub.SendMany(
            iter(self._batches.get, None), metadata=bearer(session), timeout=PATIENCE
        )

    def send(self, *batches: pb.SendManyRequest | None) -> None:
        """Send batches; None: these were the last."""
        for one in batches:
            self._batches.put(one)

    def receipt(self) -> list[str]:
        """The next receipt: each outcome's kind, or the reason of its refusal."""
        outcomes = next(self.call).outcomes
        return [outcome.refusal.reason or outcome.WhichOneof("outcome") for outcome in outcomes]


def every_text(running: Running, session: pb.Session) -> list[str]:
    return [message.text for message in running.deliver(session, after=0, max_messages=1_000).messages]


def test_each_batch_has_a_receipt_as_soon_as_it_is_stored(running: Running) -> None:
    ann = running.sign_up("ann")
    stream = Stream(running, ann)
    # Each receipt comes before the next batch is sent. So no receipt waits for another batch.
    for number in range(3):
        stream.send(batch(f"{number} one", f"{number} two"))
        assert stream.receipt() == ["accept_time", "accept_time"]
    stream.send(pb.SendManyRequest())
    assert stream.receipt() == []
    stream.send(batch("last"), None)
    assert stream.receipt() == ["accept_time"]
    with pytest.raises(StopIteration):
        next(stream.call)
    assert every_text(running, ann) == ["0 one", "0 two", "1 one", "1 two", "2 one", "2 two", "last"]


def test_one_bad_recipient_fails_alone(running: Running) -> None:
    ann = running.sign_up("ann")
    stream = Stream(running, ann)
    mixed = pb.SendManyRequest(
        messages=[*batch("one").messages, *batch("?", recipient="nobody").messages, *batch("", "two").messages]
    )
    stream.send(mixed, batch("three"), None)
    assert stream.receipt() == ["accept_time", "RECIPIENT_NOT_FOUND", "EMPTY_TEXT", "accept_time"]
    assert stream.receipt() == ["accept_time"]
    assert every_text(running, ann) == ["one", "two", "three"]


def test_batches_may_follow_each_other_without_waiting(running: Running) -> None:
    ann = running.sign_up("ann")
    stream = Stream(running, ann)
    stream.send(*(batch(*(f"{number}.{place}" for place in range(20))) for number in range(30)), None)
    assert [len(receipt.outcomes) for receipt in stream.call] == [20] * 30
    assert every_text(running, ann) == [f"{number}.{place}" for number in range(30) for place in range(20)]


def test_every_batch_keeps_the_deadline_of_the_call(running: Running) -> None:
    ann = running.sign_up("ann")
    deadlines: list[float | None] = []
    running.store.before = lambda method: deadlines.append(current_deadline.get()) if method == "append_later" else None
    stream = Stream(running, ann)
    # A large batch is handed over by another thread than a small one.
    for texts in (("one",), ("two",), ("three",) * 100):
        stream.send(batch(*texts))
        stream.receipt()
    stream.send(None)
    assert len(deadlines) == 3
    [deadline] = set(deadlines)
    assert deadline is not None
    assert abs(deadline - time.monotonic() - PATIENCE) < PATIENCE


def test_a_failure_of_the_store_ends_the_stream_and_nothing_overtakes_it(running: Running) -> None:
    ann = running.sign_up("ann")
    appends = iter(range(100))
    failing = threading.Event()

    def fail_third(method: str) -> None:
        if method == "append" and next(appends) == 2:
            failing.set()
            raise StoreUnavailable

    running.store.before = fail_third
    stream = Stream(running, ann)
    stream.send(*(batch(str(number)) for number in range(10)))
    assert refusal(list, stream.call).code is Code.UNAVAILABLE
    assert every_text(running, ann) == ["0", "1"]


@pytest.mark.parametrize(
    ("bad", "code", "reason"),
    [
        (
            batch(*("x" for _ in range(MAX_SENT_TOGETHER + 1))).SerializeToString(),
            Code.INVALID_ARGUMENT,
            "BATCH_TOO_LARGE",
        ),
        (b"\x0a\xff", Code.INVALID_ARGUMENT, "MALFORMED_REQUEST"),
    ],
)
def test_a_bad_batch_ends_the_stream_after_the_good_ones(running: Running, bad: bytes, code: Code, reason: str) -> None:
    ann = running.sign_up("ann")
    call: Any = running.channel.stream_stream("/chatbooth.v1.ChatService/SendMany")
    batches = [batch("good").SerializeToString(), bad, batch("behind").SerializeToString()]
    replies = call(iter(batches), metadata=bearer(ann), timeout=PATIENCE)
    # gRPC may drop a receipt that the client has not read when the stream ends.
    refused = refusal(list, replies)
    assert (refused.code, refused.reason) == (code, reason)
    assert every_text(running, ann) == ["good"]


def test_a_bug_in_the_store_ends_the_stream_after_the_earlier_receipts(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    ann = running.sign_up("ann")

    def fail(method: str) -> None:
        if method == "append_later":
            raise ZeroDivisionError

    stream = Stream(running, ann)
    stream.send(batch("one"))
    assert stream.receipt() == ["accept_time"]
    running.store.before = fail
    stream.send(batch("two"), batch("three"))
    refused = refusal(list, stream.call)
    assert (refused.code, refused.reason) == (Code.INTERNAL, "INTERNAL")
    assert every_text(running, ann) == ["one"]
    assert ZeroDivisionError in [record.exc_info[0] for record in caplog.records if record.exc_info]


def test_without_a_live_session_there_is_no_stream(running: Running) -> None:
    ann = running.sign_up("ann")
    refused = refusal(next, Stream(running, os.urandom(16)).call)
    assert (refused.code, refused.reason) == (Code.UNAUTHENTICATED, "SESSION_INVALID")
    stream = Stream(running, ann)
    stream.send(batch("before"))
    stream.receipt()
    running.stub.LogOut(pb.LogOutRequest(), metadata=bearer(ann), timeout=PATIENCE)
    stream.send(batch("after"))
    refused = refusal(next, stream.call)
    assert (refused.code, refused.reason) == (Code.UNAUTHENTICATED, "SESSION_INVALID")
    assert every_text(running, running.log_in("ann")) == ["before"]


def test_streams_beyond_the_limit_are_refused_and_the_others_continue(start: Start) -> None:
    running = start("--max-send-streams", "2", "--threads", "1")
    ann = running.sign_up("ann")
    streams = [Stream(running, ann) for _ in range(2)]
    for stream in streams:
        stream.send(batch("one"))
        stream.receipt()
    refused = refusal(next, Stream(running, ann).call)
    assert (refused.code, refused.reason) == (Code.RESOURCE_EXHAUSTED, "TOO_BUSY")
    # The streams hold none of the threads of other calls.
    running.send(ann, "ann", "beside them")
    streams[0].send(None)
    with pytest.raises(StopIteration):
        next(streams[0].call)

    def opens() -> bool:
        stream = Stream(running, ann)
        stream.send(batch("again"), None)
        try:
            return stream.receipt() == ["accept_time"]
        except grpc.RpcError:
            return False

    wait_until(opens)


def test_clients_that_go_leave_room_for_others(start: Start) -> None:
    running = start("--max-send-streams", "4")
    ann = running.sign_up("ann")
    for _ in range(25):
        streams = [Stream(running, ann) for _ in range(4)]
        for stream in streams:
            stream.send(batch("one"), batch("two"))
        for stream in streams:
            # The receipt shows that the four streams before have left their places.
            stream.receipt()
            stream.call.cancel()
        wait_until(lambda: running.server.send_streams.count == 0)
    running.send(ann, "ann", "still there")


def test_one_account_leaves_streams_for_others(start: Start) -> None:
    running = start("--max-send-streams-per-account", "2")
    ann, bob = running.sign_up("ann"), running.sign_up("bob")
    # The share is the account's, and not the session's.
    streams = [Stream(running, session) for session in (ann, running.log_in("ann"))]
    for stream in streams:
        stream.send(batch("one"))
        stream.receipt()
    refused = refusal(next, Stream(running, ann).call)
    assert (refused.code, refused.reason) == (Code.RESOURCE_EXHAUSTED, "TOO_BUSY")
    assert refused.attributes["limit"] == "2 open SendMany streams of one account"
    others = Stream(running, bob)
    others.send(batch("mine"))
    assert others.receipt() == ["accept_time"]
    streams[0].call.cancel()

    def opens() -> bool:
        stream = Stream(running, ann)
        stream.send(batch("again"), None)
        try:
            return stream.receipt() == ["accept_time"]
        except grpc.RpcError:
            return False

    wait_until(opens)


def test_streams_hold_no_threads(start: Start, grpcio: str) -> None:
    if grpcio == "another":
        pytest.skip("the public API holds two threads for each stream")
    running = start("--max-send-streams-per-account", "40")
    ann = running.sign_up("ann")
    before = threading.active_count()
    streams = [Stream(running, ann) for _ in range(40)]
    for stream in streams:
        stream.send(batch("one"))
        stream.receipt()
    # Each stream of the client has a thread.
    assert threading.active_count() < before + 10 + 40


def test_a_drain_ends_streams_after_the_batches_that_they_sent(start: Start, gate: Gate) -> None:
    running = start()
    ann = running.sign_up("ann")
    idle, busy = Stream(running, ann), Stream(running, ann)
    idle.send(batch("first"))
    idle.receipt()
    running.store.before = held_append(gate)
    busy.send(batch("in flight"))
    gate.wait_until_reached()
    draining = threading.Thread(target=running.drain)
    draining.start()
    refused = refusal(next, idle.call)
    assert (refused.code, refused.reason) == (Code.UNAVAILABLE, "SERVER_DRAINING")
    gate.open()
    refused = refusal(list, busy.call)
    assert (refused.code, refused.reason) == (Code.UNAVAILABLE, "SERVER_DRAINING")
    draining.join(PATIENCE)
    assert not draining.is_alive()
    assert [content for (*_, content) in running.rows()["messages"]] == [b"first", b"in flight"]


def test_a_drain_does_not_wait_for_streams_that_have_not_begun(start: Start) -> None:
    running = start("--drain-grace", "1s")
    ann = running.sign_up("ann")
    gate = Gate()
    running.store.before = lambda method: gate.hold() if method == "session" else None
    streams = [Stream(running, ann) for _ in range(60)]
    wait_until(lambda: running.server.send_streams.count == 60)
    gate.wait_until_reached()
    draining = threading.Thread(target=running.drain)
    draining.start()
    # All streams end while the store still looks for the sessions of the first ones.
    assert all(refusal(list, stream.call).reason == "SERVER_DRAINING" for stream in streams)
    gate.open()
    draining.join(PATIENCE)
    assert not draining.is_alive()


def held_append(gate: Gate) -> Callable[[str], None]:
    """Hold every append until the gate opens."""
    return lambda method: gate.hold() if method == "append" else None


@pytest.mark.parametrize("is_cached", [True, False])
def test_a_stream_is_logged_with_its_account(
    running: Running, caplog: pytest.LogCaptureFixture, *, is_cached: bool
) -> None:
    ann = running.sign_up("ann")
    if is_cached:
        running.deliver(ann)  # which caches the session
    caplog.set_level(logging.DEBUG, "chatbooth_grpc.booth.call_log")
    stream = Stream(running, ann)
    stream.send(batch("text"), None)
    assert stream.receipt() == ["accept_time"]
    assert list(stream.call) == []
    wait_until(lambda: bool(caplog.records))
    [call] = [vars(record) for record in caplog.records]
    assert (call["action"], call["account"], call["outcome"]) == ("SEND", "ann", "OK")


def test_an_idle_stream_ends_and_the_client_library_opens_another(start: Start) -> None:
    running = start("--idle-timeout", "1s")
    ann = running.sign_up("ann")
    stream = Stream(running, ann)
    stream.send(batch("before"))
    assert stream.receipt() == ["accept_time"]
    refused = refusal(next, stream.call)
    assert (refused.code, refused.attributes["limit"]) == (Code.RESOURCE_EXHAUSTED, "1 s without a batch")
    with ChatClient.connect(running.address, session=Session(ann.token, 0, ann.username, b"")) as client:
        texts = iter(["one", "two", "three"])
        count = itertools.count()

        def slowly() -> Iterator[OutgoingMessage]:
            for text in texts:
                # The stream with the texts before must have ended.
                wait_until(lambda: running.server.send_streams.count == 0)
                yield from (text_message("ann", f"{text} {next(count)}") for _ in range(256))

        outcomes = [outcome for _, outcome in client.send_many(slowly())]
    assert len(outcomes) == 768
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    assert [text.split()[-1] for text in every_text(running, ann)[1:]] == [str(number) for number in range(768)]


def test_a_stream_with_a_batch_in_flight_is_not_idle(start: Start, gate: Gate) -> None:
    running = start("--idle-timeout", "1s")
    ann = running.sign_up("ann")
    running.store.before = held_append(gate)
    stream = Stream(running, ann)
    stream.send(batch("in flight"))
    gate.wait_until_reached()
    running.server.send_streams.end_idle(0)
    gate.open()
    assert stream.receipt() == ["accept_time"]
