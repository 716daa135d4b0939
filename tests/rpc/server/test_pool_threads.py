"""A server's pools have their threads from the start, so that no call needs a new one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chatbooth_grpc.addresses import ListenError
from chatbooth_grpc.rpc.server.pool_threads import start_threads
from tests.rpc.conftest import Start
from tests.rpc.running import Running
from tests.rpc.server.test_chat_server import second_server


def _no_more(_: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_all_threads_of_a_pool_are_started() -> None:
    with ThreadPoolExecutor(5, thread_name_prefix="five") as pool:
        start_threads(pool, 5)
        assert sum(thread.name.startswith("five") for thread in threading.enumerate()) == 5
        assert pool.submit(lambda: 7).result(20) == 7


def test_a_pool_whose_threads_cannot_start_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    real, started = threading.Thread.start, []

    def start_two(thread: threading.Thread) -> None:
        started.append(thread)
        if len(started) > 2:
            _no_more(thread)
        real(thread)

    pool = ThreadPoolExecutor(5)
    monkeypatch.setattr(threading.Thread, "start", start_two)
    with pytest.raises(RuntimeError):
        start_threads(pool, 5)
    pool.shutdown()
    assert not any(thread.is_alive() for thread in started[:2])


def test_calls_need_no_new_thread(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    running = start("--threads", "3")
    monkeypatch.setattr(threading.Thread, "start", _no_more)
    ann = running.sign_up("ann")
    running.send(ann, "ann", "short")
    running.send(ann, "ann", "long" * 100_000)
    assert len(running.texts(running.log_in("ann"))) == 2


def test_a_server_that_may_not_start_its_threads_says_so(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    other = second_server(running, "--port", "0")
    monkeypatch.setattr(threading.Thread, "start", _no_more)
    with pytest.raises(ListenError, match="ulimit -u"):
        other.start()
