"""Each line about a call, and each error, has the id of the request, over both wires."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.actions import DELIVER, LOG_OUT, PING, SIGN_UP, DeliverRequest, LogInRequest
from chatbooth_grpc.booth.errors import ChatboothError, Internal
from chatbooth_grpc.booth.model import Opening
from chatbooth_grpc.booth.request_ids import is_request_id
from chatbooth_grpc.client.failures.command_failure import details_of
from chatbooth_grpc.rpc.messages import outcomes_from_pb
from chatbooth_grpc.wire.encoding.codes import decode_error
from chatbooth_grpc.wire.encoding.frames import encode_request
from tests.booth.cheap_passwords import PASSWORD
from tests.booth.interrupted_store import InterruptedStore
from tests.contract.stores import Clock
from tests.contract.test_call_log import SECONDS, WIRES, message
from tests.contract.transports import transport_by, transport_to
from tests.rpc.running import PATIENCE, Running, bearer, refusal
from tests.wire.running import Running as WireRunning


def lines(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.getMessage() == event]


@WIRES
def test_an_error_has_the_id_that_its_line_in_the_log_has(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    caplog.set_level(logging.DEBUG, "chatbooth_grpc")
    with transport_by(way, tmp_path / "store") as transport:
        token = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), SECONDS).token
        with pytest.raises(ChatboothError) as delivered:
            transport.call(DELIVER, token, DeliverRequest(9), SECONDS)
        with pytest.raises(ChatboothError) as sent:
            transport.send(token, message("nobody"), timeout=SECONDS)
    logged = {line["outcome"]: line["request_id"] for line in lines(caplog, "call")}
    assert logged["CURSOR_PAST_END"] == delivered.value.request_id
    assert logged["RECIPIENT_NOT_FOUND"] == sent.value.request_id
    assert len(set(logged.values())) == 3
    assert all(map(is_request_id, logged.values()))
    assert details_of(sent.value)["request_id"] == sent.value.request_id


@WIRES
def test_an_error_has_an_id_if_calls_are_not_logged(tmp_path: Path, way: str) -> None:
    with transport_by(way, tmp_path / "store") as transport:
        token = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), SECONDS).token
        with pytest.raises(ChatboothError) as sent:
            transport.send(token, message("nobody"), timeout=SECONDS)
    assert is_request_id(sent.value.request_id)


@pytest.mark.parametrize("broken", ["after", "append_later"])
@WIRES
def test_a_bug_is_logged_under_the_id_that_its_words_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, way: str, broken: str
) -> None:
    clock = Clock()
    store = InterruptedStore(tmp_path / "chatbooth.db", clock=clock)

    def fail(method: str) -> None:
        if method == broken:
            raise ZeroDivisionError("made for this test")

    with store, transport_to(store, way, clock) as transport:
        token = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), SECONDS).token
        store.before = fail
        calls: dict[str, Callable[[], object]] = {
            "after": lambda: transport.call(DELIVER, token, DeliverRequest(), SECONDS),
            "append_later": lambda: transport.send(token, message("ann"), timeout=SECONDS),
        }
        with pytest.raises(Internal) as failed:
            calls[broken]()
        store.before = lambda _: None
    [line] = lines(caplog, "an action failed")
    assert f"(request {line['request_id']})" in str(failed.value)


@pytest.mark.parametrize(("asked", "is_taken"), [("my-id-1", True), ("x" * 65, False), ("two words", False)])
def test_a_client_of_grpc_may_choose_the_id(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, asked: str, is_taken: bool
) -> None:
    caplog.set_level(logging.DEBUG, "chatbooth_grpc")
    with Running(tmp_path / "s.db") as server:
        ann = server.sign_up("ann")
        metadata = (*bearer(ann), ("x-request-id", asked))
        request = pb.SendRequest(recipient="nobody", message_id=b"i" * 16, text="hello")
        refused = refusal(server.stub.Send, request, metadata=metadata, timeout=PATIENCE)
    detail = refused.detail(error_details_pb2.RequestInfo)
    assert detail is not None
    assert (detail.request_id == asked) is is_taken
    assert [line["request_id"] for line in lines(caplog, "call") if line["action"] == "SEND"] == [detail.request_id]


def test_a_stream_that_the_server_ends_has_the_id_of_its_call(tmp_path: Path) -> None:
    with Running(tmp_path / "s.db") as server:
        ann = server.sign_up("ann")
        metadata = (*bearer(ann), ("x-request-id", "my-stream"))
        stream = server.stub.Listen(pb.ListenRequest(), metadata=metadata, timeout=PATIENCE)
        next(stream)
        server.stub.LogOut(pb.LogOutRequest(), metadata=bearer(ann), timeout=PATIENCE)
        ended = refusal(list, stream)
    detail = ended.detail(error_details_pb2.RequestInfo)
    assert detail is not None
    assert detail.request_id == "my-stream"


def test_a_refused_message_of_a_batch_has_the_id_of_its_stream(tmp_path: Path) -> None:
    with Running(tmp_path / "s.db") as server:
        ann = server.sign_up("ann")
        metadata = (*bearer(ann), ("x-request-id", "my-batches"))
        sends = [pb.SendRequest(recipient=name, message_id=name.encode() * 4, text="hi") for name in ("anna", "nobo")]
        batch = pb.SendManyRequest(messages=sends)
        [receipt] = server.stub.SendMany(iter([batch]), metadata=metadata, timeout=PATIENCE)
    refused = [outcome for outcome in outcomes_from_pb(receipt) if isinstance(outcome, ChatboothError)]
    assert [error.request_id for error in refused] == ["my-batches"] * 2


@WIRES
def test_the_end_of_a_live_stream_has_the_id_that_its_line_in_the_log_has(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    caplog.set_level(logging.DEBUG, "chatbooth_grpc")
    with transport_by(way, tmp_path / "store") as transport:
        token = transport.call(SIGN_UP, b"", LogInRequest("ann", PASSWORD), SECONDS).token
        stream = iter(transport.listen(token, None))
        assert isinstance(next(stream), Opening)
        transport.call(LOG_OUT, token, None, SECONDS)
        with pytest.raises(ChatboothError) as ended:
            list(stream)
    ids = {line["request_id"] for line in lines(caplog, "call") if line["action"] == "LISTEN"}
    assert ids == {ended.value.request_id}


@pytest.mark.parametrize(
    ("sent", "action"),
    [(b"GET / HTTP/1.1\r\n\r\n", "UNKNOWN"), (encode_request(PING, b"\x09"), "PING")],
    ids=["no frame", "no ping"],
)
def test_a_refusal_before_any_call_has_the_id_that_its_line_in_the_log_has(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, sent: bytes, action: str
) -> None:
    caplog.set_level(logging.DEBUG, "chatbooth_grpc")
    with WireRunning(tmp_path / "s.db") as server:
        peer = server.peer()
        peer.socket.sendall(sent)
        refused = decode_error(peer.reply())
    [line] = lines(caplog, "call")
    assert (line["action"], line["outcome"]) == (action, refused.reason)
    assert line["peer"].startswith("127.0.0.1:")
    assert line["request_id"] == refused.request_id


def test_a_client_over_the_limit_of_connections_gets_the_id_of_its_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "chatbooth_grpc")
    with WireRunning(tmp_path / "s.db", max_connections=0) as server:
        refused = decode_error(server.peer().reply())
    [line] = lines(caplog, "call")
    assert (line["action"], line["outcome"]) == ("CONNECT", "TOO_BUSY")
    assert line["peer"].startswith("127.0.0.1:")
    assert line["request_id"] == refused.request_id


def test_a_health_watch_over_the_limit_gets_the_id_of_its_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "chatbooth_grpc")
    with Running(tmp_path / "s.db") as server:
        health: Any = health_pb2_grpc.HealthStub(server.channel)
        watches = [health.Watch(health_pb2.HealthCheckRequest()) for _ in range(16)]
        for watch in watches:
            next(watch)
        refused = refusal(next, health.Watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE))
        for watch in watches:
            watch.cancel()
    detail = refused.detail(error_details_pb2.RequestInfo)
    assert detail is not None
    [line] = [line for line in lines(caplog, "call") if line["action"] == "Watch"]
    assert line["request_id"] == detail.request_id
