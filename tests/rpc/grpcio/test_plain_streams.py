"""A stream by grpcio's public API yields each message once, and calls each writer back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc

from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.rpc.grpcio.counted_pool import CountedPool
from chatbooth_grpc.rpc.grpcio.plain_streams import PlainCall, PlainStream


class Context:
    """As much of gRPC's context as a stream uses."""

    def __init__(self) -> None:
        self.callbacks: list[Callable[[], None]] | None = []

    def add_callback(self, callback: Callable[[], None]) -> bool:
        if self.callbacks is None:
            return False
        self.callbacks.append(callback)
        return True

    def cancel(self) -> None:
        """End the call, as gRPC does: the callbacks are called once."""
        callbacks, self.callbacks = self.callbacks or [], None
        for callback in callbacks:
            callback()


def test_a_message_is_taken_when_the_next_one_is_asked_for() -> None:
    stream, taken = PlainStream(Context()), list[str]()
    written = stream.written()
    assert stream.push(b"one", lambda: taken.append("one"))
    assert next(written) == b"one"
    assert (stream.is_taken, taken) == (False, [])
    stream.finish(b"end")
    assert next(written) == b"end"
    assert (stream.is_taken, taken) == (True, ["one"])
    assert list(written) == []


def test_the_writer_of_a_message_that_nobody_takes_is_called_back_once_when_the_call_is_over() -> None:
    context, taken = Context(), list[str]()
    stream = PlainStream(context)
    written = stream.written()
    stream.push(b"one", lambda: taken.append("one"))
    next(written)
    context.cancel()
    assert (stream.is_taken, taken) == (True, ["one"])
    assert list(written) == []
    assert taken == ["one"]


def test_nothing_is_written_after_the_end_or_when_the_call_is_over() -> None:
    context, taken = Context(), list[str]()
    finished, over = PlainStream(Context()), PlainStream(context)
    finished.finish(None)
    context.cancel()
    for stream in (finished, over, PlainStream(context)):
        assert not stream.push(b"late", lambda: taken.append("late"))
        assert list(stream.written()) == []
    assert taken == []


def test_a_call_that_has_ended_receives_nothing_more() -> None:
    def requests() -> Iterator[str]:
        yield "one"
        raise grpc.RpcError

    context, received = Context(), list[str | None]()
    with CountedPool("test", 1) as threads:
        call = PlainCall(requests(), context, PlainStream(context), threads=threads, serializer=bytes, pushes=Unread())
        for _ in range(2):
            call.receive(received.append)
    assert received == ["one", None]


def test_a_response_is_held_until_it_is_taken_or_the_call_is_over() -> None:
    context, pushes = Context(), Unread()
    stream = PlainStream(context)
    with CountedPool("test", 1) as threads:
        call = PlainCall(iter(()), context, stream, threads=threads, serializer=str.encode, pushes=pushes)
        written = stream.written()
        assert call.push("abc", lambda: None)
        assert (next(written), pushes.size) == (b"abc", 3)
        context.cancel()
        assert pushes.size == 0
        assert not call.push("defg", lambda: None)
        assert pushes.count == 0
