"""Clients that take no answer: each call ends, and the server keeps little until then."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from bench.attacks.raw import DeafConnection
from bench.performance.http2 import call_headers
from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.message_ids import new_message_id
from chatbooth_grpc.live import unread
from chatbooth_grpc.live.unread import SHARE_SIZE
from tests.booth.cheap_passwords import PASSWORD
from tests.rpc.conftest import BOTH_GRPCIOS, Start
from tests.rpc.running import PATIENCE, Running, bearer
from tests.rpc.server.test_traps import answers, patience
from tests.waiting import wait_until

SERVICE = "/chatbooth.v1.ChatService/"
HEALTH = "/grpc.health.v1.Health/"


def _send() -> pb.SendRequest:
    return pb.SendRequest(recipient="ann", message_id=new_message_id(), text="text")


REQUESTS: dict[str, Callable[[], bytes]] = {
    SERVICE + "SignUp": lambda: pb.SignUpRequest(username="bob", password=PASSWORD).SerializeToString(),
    SERVICE + "LogIn": lambda: pb.LogInRequest(username="ann", password=PASSWORD).SerializeToString(),
    SERVICE + "LogOut": lambda: b"",
    SERVICE + "ChangePassword": lambda: pb.ChangePasswordRequest(
        old_password=PASSWORD, new_password=PASSWORD
    ).SerializeToString(),
    SERVICE + "List": lambda: b"",
    SERVICE + "Send": lambda: _send().SerializeToString(),
    SERVICE + "SendMany": lambda: pb.SendManyRequest(messages=[_send()]).SerializeToString(),
    SERVICE + "Deliver": lambda: b"",
    SERVICE + "Acknowledge": lambda: b"",
    SERVICE + "Listen": lambda: b"",
    SERVICE + "SetBlock": lambda: pb.SetBlockRequest(username="cy", blocked=True).SerializeToString(),
    SERVICE + "ListBlocks": lambda: b"",
    SERVICE + "ListSessions": lambda: b"",
    SERVICE + "EndSession": lambda: pb.EndSessionRequest(session_id=1).SerializeToString(),
    SERVICE + "CreateToken": lambda: pb.CreateTokenRequest(
        secret=b"\x05" * 16, label="backup", limits=pb.TokenLimits(may_read=True)
    ).SerializeToString(),
    SERVICE + "Delete": lambda: pb.DeleteRequest(password=PASSWORD).SerializeToString(),
    HEALTH + "Check": lambda: b"",
    HEALTH + "Watch": lambda: b"",
}


@pytest.fixture
def running(start: Start, monkeypatch: pytest.MonkeyPatch) -> Running:
    """A server that soon loses patience."""
    patience(monkeypatch, 0.5)
    monkeypatch.setattr(unread, "_SLOWEST_RATE", 16 << 20)
    return start()


def test_every_method_is_here() -> None:
    methods = {method.name for method in pb.DESCRIPTOR.services_by_name["ChatService"].methods}
    assert {path.removeprefix(SERVICE) for path in REQUESTS if path.startswith(SERVICE)} == methods


@BOTH_GRPCIOS
@pytest.mark.parametrize("path", REQUESTS)
def test_an_answer_that_nobody_takes_ends_its_call(running: Running, path: str) -> None:
    ann = running.sign_up("ann")
    running.sign_up("cy")
    deaf = DeafConnection(running.address)
    deaf.call(call_headers(running.address, path, ann.token), REQUESTS[path]())
    wait_until(lambda: _held(running)[1] == 1)
    wait_until(lambda: not deaf.open and not deaf.is_over)
    wait_until(lambda: _held(running) == (0, 0))
    deaf.close()
    assert answers(running)


@BOTH_GRPCIOS
def test_an_answer_is_held_until_it_is_taken(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    patience(monkeypatch, 1_000)
    running = start()
    ann = running.sign_up("ann")
    running.send(ann, "ann", "x" * (64 << 10))
    running.texts(ann)
    stream = running.stub.Listen(pb.ListenRequest(), metadata=bearer(ann), timeout=PATIENCE)
    next(stream)
    stream.cancel()
    wait_until(lambda: _held(running) == (0, 0))


@BOTH_GRPCIOS
def test_the_answers_that_an_account_leaves_unread_are_limited(running: Running) -> None:
    ann = running.sign_up("ann")
    for _ in range(4):
        running.send(ann, "ann", "x" * (250 << 10))
    deaf = [DeafConnection(running.address) for _ in range(3)]
    headers = call_headers(running.address, SERVICE + "Deliver", ann.token)
    for number in range(90):
        deaf[number % 3].call(headers, b"")
    seen: list[int] = []

    def all_ended() -> bool:
        seen.append(_held(running)[0])
        return not any(each.open for each in deaf)

    wait_until(all_ended)
    for each in deaf:
        each.close()
    assert SHARE_SIZE // 2 < max(seen) < 3 * SHARE_SIZE  # 90 MiB were asked for
    wait_until(lambda: _held(running) == (0, 0))
    assert len(running.texts(ann)) == 4


def _held(running: Running) -> tuple[int, int]:
    """How many bytes the server holds for clients, in how many writes."""
    ledgers = running.server._unread
    return sum(each.size for each in ledgers), sum(each.count for each in ledgers)
