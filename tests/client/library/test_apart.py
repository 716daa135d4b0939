"""Calls on a thread of their own: an interrupt does not break them off."""

from __future__ import annotations

import signal
import threading

import pytest

from chatbooth_grpc.booth.errors import ServerUnreachable
from chatbooth_grpc.booth.model import OutgoingMessage
from chatbooth_grpc.client.library.apart import apart
from chatbooth_grpc.client.library.grpc_transport import GrpcTransport


def on_another_thread(work: object) -> threading.Thread:
    thread = threading.Thread(target=work)  # type: ignore[arg-type]
    thread.start()
    return thread


def interrupt_after(event: threading.Event) -> None:
    """Interrupt the main thread after some seconds, as Ctrl-C does."""
    assert event.wait(20)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def test_another_thread_does_the_main_threads_work() -> None:
    assert threading.current_thread() is threading.main_thread()
    assert apart(threading.current_thread) is not threading.main_thread()


def test_any_other_thread_does_its_own_work() -> None:
    doers: list[threading.Thread] = []
    asking = on_another_thread(lambda: doers.append(apart(threading.current_thread)))
    asking.join(20)
    assert doers == [asking]


def test_an_error_of_the_work_is_raised() -> None:
    def fail() -> None:
        raise LookupError("made for this test")

    with pytest.raises(LookupError, match="made for this test"):
        apart(fail)


def test_an_interrupt_ends_the_wait_but_not_the_work() -> None:
    begun, released, is_done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        if released.wait(20):
            is_done.set()

    interrupting = on_another_thread(lambda: interrupt_after(begun))
    with pytest.raises(KeyboardInterrupt):
        apart(work)
    interrupting.join(20)
    assert not is_done.is_set()
    released.set()
    assert is_done.wait(20)


class _Call:
    """A gRPC call that never answers, and notes which thread iterates over it."""

    def __init__(self) -> None:
        self.inside: list[threading.Thread] = [threading.current_thread()]
        self.is_read = threading.Event()
        self._is_over = threading.Event()

    def __iter__(self) -> _Call:
        return self

    def __next__(self) -> object:
        self.inside.append(threading.current_thread())
        self.is_read.set()
        assert self._is_over.wait(20)
        raise StopIteration

    def cancel(self) -> None:
        self.inside.append(threading.current_thread())
        self._is_over.set()


def test_the_main_thread_is_never_inside_grpc_while_a_stream_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[_Call] = []

    class Stub:
        def SendMany(self, *_: object, **__: object) -> _Call:  # noqa: N802  # gRPC's name
            calls.append(_Call())
            return calls[0]

    transport = GrpcTransport("localhost:1")
    monkeypatch.setattr(transport, "_stub", Stub())
    stream = transport.send_stream(bytes(16))
    stream.send([OutgoingMessage("ann", bytes(16), b"tea")])
    [call] = calls
    assert call.is_read.wait(20)
    stream.close()
    with pytest.raises(ServerUnreachable):
        stream.receive()
    assert len(call.inside) == 3
    assert threading.main_thread() not in call.inside
    transport.close()


def test_a_channel_is_closed_by_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    closers: list[threading.Thread] = []
    transport = GrpcTransport("localhost:1")
    close = transport._channel.close

    def noted() -> None:
        closers.append(threading.current_thread())
        close()

    monkeypatch.setattr(transport._channel, "close", noted)
    transport.close()
    assert len(closers) == 1
    assert threading.main_thread() not in closers
