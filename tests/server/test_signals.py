"""Signals: those that start a drain, those that change nothing, and a closed terminal."""

from __future__ import annotations

import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatbooth_grpc.booth import actions
from chatbooth_grpc.wire.encoding import delivering
from chatbooth_grpc.wire.encoding.frames import encode_request
from tests.server.served import PATIENCE, Served
from tests.waiting import wait_until
from tests.wire.running import Peer, send_body

ENDING = [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGXCPU, signal.SIGPWR]
FAULTS = {"SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP"}
NOT_TO_BE_CAUGHT = {"SIGKILL", "SIGSTOP"}
JOB_CONTROL = {"SIGTSTP", "SIGTTIN"}

UNDER_NOHUP = ["sh", "-c", 'trap "" HUP; exec "$0" "$@"']


def in_terminal(terminal: str, *, ignores_hup: bool = False) -> list[str]:
    """Return the first words of a command in a terminal. The first terminal that a session opens is its own."""
    trap = 'trap "" HUP; ' if ignores_hup else ""
    return ["sh", "-c", f'{trap}exec <"$0"; exec "$@"', terminal]


def other_signals() -> list[int]:
    """Return every signal that must not end a server without a terminal."""
    never = {getattr(signal, name) for name in FAULTS | NOT_TO_BE_CAUGHT | JOB_CONTROL}
    return sorted(set(signal.valid_signals()) - {*ENDING} - never)


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    """Return a terminal: the end that a person closes, and the name of the other one."""
    near, far = os.openpty()
    name = os.ttyname(far)
    os.close(far)
    yield near, name
    try:
        os.close(near)
    except OSError:
        # The test has closed it.
        return


def test_no_other_signal_ends_a_server_without_a_terminal(serve: Callable[..., Served]) -> None:
    server = serve()
    for number in other_signals():
        server.process.send_signal(number)
    assert server.answers()
    server.process.send_signal(signal.SIGTERM)
    assert server.ends()
    for name in (
        "SIGTTOU",
        "SIGUSR1",
        "SIGUSR2",
        "SIGALRM",
        "SIGVTALRM",
        "SIGPROF",
        "SIGRTMIN",
        r"SIGRTMIN\+3",
        "SIGRTMAX",
    ):
        assert re.search(rf"warning: signal ignored signal={name}\n", server.said)
    assert "info: nothing to reload: a changed setting needs a restart signal=SIGHUP\n" in server.said


@pytest.mark.parametrize("number", ENDING, ids=lambda number: str(number.name))
def test_a_signal_to_end_is_a_drain(serve: Callable[..., Served], number: signal.Signals) -> None:
    server = serve("--wire-port", "0")
    server.process.send_signal(number)
    assert server.ends()
    assert f"draining signal={number.name} " in server.said


@pytest.mark.parametrize("ignores_hup", [True, False])
def test_without_a_terminal_hup_is_a_reload(serve: Callable[..., Served], *, ignores_hup: bool) -> None:
    server = serve(start=UNDER_NOHUP if ignores_hup else ())
    server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "nothing to reload" in server.said)
    assert server.answers()


def test_closing_the_terminal_starts_a_drain(serve: Callable[..., Served], terminal: tuple[int, str]) -> None:
    near, name = terminal
    server = serve(start=in_terminal(name))
    os.close(near)
    assert server.ends()
    assert "draining signal=SIGHUP " in server.said


def test_closing_the_terminal_with_stderr_in_it_starts_a_drain(tmp_path: Path, terminal: tuple[int, str]) -> None:
    near, name = terminal
    server = Served(tmp_path, start=in_terminal(name), stderr=name)
    try:
        said = b""
        while b"stop: " not in said:
            said += os.read(near, 1_000)
        os.close(near)
        assert server.process.wait(PATIENCE) == 0
    finally:
        server.kill()


def test_closing_the_terminal_does_not_end_a_server_under_nohup(
    serve: Callable[..., Served], terminal: tuple[int, str]
) -> None:
    near, name = terminal
    server = serve(start=in_terminal(name, ignores_hup=True))
    os.close(near)
    wait_until(lambda: "nothing to reload" in server.said)
    assert server.answers()
    server.process.send_signal(signal.SIGTERM)
    assert server.ends()


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_later_second_signal_cuts_a_drain_short(serve: Callable[..., Served], second: signal.Signals) -> None:
    """A client that does not read its replies holds a drain for as long as its grace."""
    server = serve("--drain-grace", "1h", "--no-grpc", "--wire-port", "0")
    host, _, port = server.address.rpartition(":")
    with socket.create_connection((host, int(port)), PATIENCE) as connection:
        peer = Peer(connection)
        ann = peer.sign_up("ann")
        for _ in range(4):
            peer.ask(actions.SEND, send_body("ann", "x" * (1 << 19)), ann.token)
        deliver = delivering.encode_deliver_request(actions.DeliverRequest())
        connection.sendall(encode_request(actions.DELIVER, deliver, ann.token) * 100)
        # The server answers.
        connection.recv(1, socket.MSG_PEEK)
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "draining" in server.said)

        def is_heard() -> bool:
            server.process.send_signal(second)
            return "drain cut short" in server.said

        wait_until(is_heard)
        assert server.ends()
