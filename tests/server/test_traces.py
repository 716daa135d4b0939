"""--traces, over a server process: the spans that a receiver gets, and the server without one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from uuid import UUID

import grpc
import pytest
from opentelemetry import trace
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc._gen import chatbooth_pb2_grpc as pb_grpc
from chatbooth_grpc.client import ChatClient, MessageBatch
from tests.acceptance.processes import PASSWORD
from tests.server.served import PATIENCE, Served
from tests.tracing.collector import Collector, attributes_of
from tests.waiting import wait_until

Serve = Callable[..., Served]
SEND = "chatbooth.v1.ChatService/Send"
OUTSIDE = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
WAYS = pytest.mark.parametrize("way", ["grpc", "wire"])


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A receiver."""
    with Collector() as receiving:
        yield receiving


@pytest.fixture
def traced(serve: Serve, collector: Collector) -> Callable[..., Served]:
    """Return a function that starts a server which traces, and exports soon."""

    def begin(*flags: str, url: str = collector.url, **variables: str) -> Served:
        return serve("--wire-port", "0", "--traces", url, *flags, OTEL_BSP_SCHEDULE_DELAY="20", **variables)

    return begin


def address_of(server: Served, way: str) -> str:
    """Return the address of a server over one wire."""
    if way == "grpc":
        return server.address
    wait_until(lambda: "wire protocol listening" in server.said)
    [address] = re.findall(r"wire protocol listening on (\S+),", server.said)
    return f"wire://{address}"


def send_and_acknowledge(address: str, texts: int = 1) -> None:
    """Sign up, send texts to oneself, receive them on a live stream, and acknowledge them."""
    with closing(ChatClient.connect(address, timeout=PATIENCE)) as client:
        client.sign_up("ann", PASSWORD)
        for number in range(texts):
            client.send("ann", f"a secret text {number}")
        with closing(client.listen()) as events:
            for event in events:
                if isinstance(event, MessageBatch):
                    client.acknowledge(event.messages[-1].sequence)
                    if event.messages[-1].sequence == texts:
                        return


@WAYS
def test_one_trace_leads_from_send_to_acknowledgement(traced: Serve, collector: Collector, way: str) -> None:
    server = traced("--trace-sample", "1")
    send_and_acknowledge(address_of(server, way))
    send, commit, push, acknowledge = collector.wait_for(SEND, "commit", "push", "acknowledge")
    assert len({span.trace_id for span in (send, commit, push, acknowledge)}) == 1
    assert not send.parent_span_id
    assert commit.parent_span_id == push.parent_span_id == send.span_id
    assert acknowledge.parent_span_id == push.span_id
    assert send.start_time_unix_nano < commit.start_time_unix_nano < commit.end_time_unix_nano
    assert push.start_time_unix_nano <= push.end_time_unix_nano <= acknowledge.end_time_unix_nano
    sent, pushed = attributes_of(send), attributes_of(push)
    assert sent["rpc.system.name"] == ("grpc" if way == "grpc" else "chatbooth")
    assert (sent["rpc.method"], sent["rpc.response.status_code"]) == (SEND, "OK")
    assert sent["messaging.message.id"] == pushed["messaging.message.id"]
    assert UUID(str(sent["messaging.message.id"])).version == 7
    assert (sent["chatbooth.account.id"], pushed["chatbooth.mailbox.sequence"]) == (1, 1)
    assert (send.kind, push.kind, commit.kind) == (
        Span.SPAN_KIND_SERVER,
        Span.SPAN_KIND_PRODUCER,
        Span.SPAN_KIND_INTERNAL,
    )


@WAYS
def test_the_spans_name_no_account_and_have_no_secret(traced: Serve, collector: Collector, way: str) -> None:
    server = traced("--trace-sample", "1")
    with closing(ChatClient.connect(address_of(server, way))) as client:
        token = client.sign_up("mallory", PASSWORD).token
        client.send("mallory", "a secret text")
        client.deliver()
        client.list_page("mallory")
    collector.wait_for(SEND, "chatbooth.v1.ChatService/List")
    said = b"".join(collector.bodies)
    assert b"chatbooth.v1.ChatService/SignUp" in said
    for secret in (PASSWORD.encode(), b"a secret text", token, token.hex().encode(), b"mallory"):
        assert secret not in said


def send_with(channel: grpc.Channel, *headers: str) -> None:
    """Sign up, and send a message with the client's trace."""
    stub = pb_grpc.ChatServiceStub(channel)
    token = stub.SignUp(pb.SignUpRequest(username="ann", password=PASSWORD), timeout=PATIENCE).session.token
    metadata = (("authorization", f"Bearer {token.hex()}"), *(("traceparent", header) for header in headers))
    request = pb.SendRequest(recipient="ann", message_id=b"i" * 16, text="hello")
    stub.Send(request, timeout=PATIENCE, metadata=metadata)


def test_the_trace_of_a_client_is_kept(traced: Serve, collector: Collector) -> None:
    trace_id, span_id = OUTSIDE
    server = traced("--trace-sample", "0")
    with grpc.insecure_channel(server.address) as channel:
        send_with(channel, f"00-{trace_id}-{span_id}-01")
    send, commit = collector.wait_for(SEND, "commit")
    assert {send.trace_id.hex(), commit.trace_id.hex()} == {trace_id}
    assert send.parent_span_id.hex() == span_id
    assert "chatbooth.v1.ChatService/SignUp" not in {span.name for span in collector.spans()}


def test_the_library_passes_the_span_of_its_program(traced: Serve, collector: Collector) -> None:
    trace_id, span_id = OUTSIDE
    server = traced("--trace-sample", "0")
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    outside = trace.SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=flags)
    with closing(ChatClient.connect(server.address)) as client:
        client.sign_up("ann", PASSWORD)
        with trace.use_span(trace.NonRecordingSpan(outside)):
            client.send("ann", "one")
            assert len(list(client.send_many([("ann", "two"), ("ann", "three")]))) == 2
    wait_until(lambda: len(collector.spans(SEND)) == 3)
    assert {(span.trace_id.hex(), span.parent_span_id.hex()) for span in collector.spans(SEND)} == {OUTSIDE}
    assert len({str(attributes_of(span)["messaging.message.id"]) for span in collector.spans(SEND)}) == 3


def test_a_client_that_does_not_sample_its_trace_decides_for_the_server(traced: Serve, collector: Collector) -> None:
    trace_id, span_id = OUTSIDE
    server = traced("--trace-sample", "1")
    with grpc.insecure_channel(server.address) as channel:
        send_with(channel, f"00-{trace_id}-{span_id}-00")
    server.process.terminate()
    assert server.ends()
    assert {span.name for span in collector.spans()} == {"chatbooth.v1.ChatService/SignUp"}


@WAYS
def test_with_a_sample_of_0_nothing_is_exported(traced: Serve, collector: Collector, way: str) -> None:
    server = traced("--trace-sample", "0")
    send_and_acknowledge(address_of(server, way))
    server.process.terminate()
    assert server.ends()
    assert collector.bodies == []


def test_a_drain_exports_the_last_spans(serve: Serve, collector: Collector) -> None:
    server = serve("--traces", f"{collector.url}/v1/traces", "--trace-sample", "1", OTEL_BSP_SCHEDULE_DELAY="600000")
    send_and_acknowledge(server.address)
    server.process.terminate()
    assert server.ends()
    assert collector.spans(SEND)
    assert set(collector.paths) == {"/v1/traces"}


def test_a_receiver_that_does_not_answer_delays_neither_a_send_nor_the_end_for_long(
    traced: Serve, collector: Collector
) -> None:
    server = traced("--trace-sample", "1", OTEL_EXPORTER_OTLP_TIMEOUT="600")
    collector.answers.clear()
    send_and_acknowledge(server.address, 100)
    server.process.terminate()
    began = time.monotonic()
    assert server.ends()
    # The SDK alone would wait for 30 seconds.
    assert time.monotonic() - began < 25


def test_a_receiver_that_is_down_costs_one_line_and_no_send(traced: Serve) -> None:
    with Collector() as gone:
        url = gone.url
    server = traced("--trace-sample", "1", url=url, OTEL_EXPORTER_OTLP_TIMEOUT="0.2")
    send_and_acknowledge(server.address, 20)
    wait_until(lambda: "error: traces are lost cause=ConnectionError" in server.said)
    send_and_acknowledge_again(server.address)
    server.process.terminate()
    assert server.ends()
    assert server.said.count("traces are lost") == 1
    assert "opentelemetry" not in server.said
    assert "ailed to export" not in server.said


def send_and_acknowledge_again(address: str) -> None:
    """Make more spans, and wait until they are made."""
    with closing(ChatClient.connect(address)) as client:
        client.log_in("ann", PASSWORD)
        for number in range(20):
            client.send("ann", f"another text {number}")


def test_a_receiver_that_refuses_is_named_by_its_status(traced: Serve, collector: Collector) -> None:
    collector.status = HTTPStatus.UNAUTHORIZED
    server = traced("--trace-sample", "1")
    send_and_acknowledge(server.address)
    wait_until(lambda: 'traces are lost cause="HTTP 401"' in server.said)


def test_the_variables_of_opentelemetry_name_receiver_headers_and_service(serve: Serve, collector: Collector) -> None:
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_SERVICE_NAME": "our chat",
        "OTEL_BSP_SCHEDULE_DELAY": "20",
        "CHATBOOTH_TRACES": "env",
        "CHATBOOTH_TRACE_SAMPLE": "1",
    }
    server = serve(**variables)
    send_and_acknowledge(server.address)
    collector.wait_for(SEND)
    resource = collector.requests()[0].resource_spans[0].resource
    named = {each.key: each.value.string_value for each in resource.attributes}
    assert named["service.name"] == "our chat"
    assert "service.version" in named
    assert not [key for key in named if key.startswith(("process", "host"))]


def test_a_send_that_is_refused_has_its_reason_and_has_not_failed(traced: Serve, collector: Collector) -> None:
    server = traced("--trace-sample", "1")
    for way in ("grpc", "wire"):
        with closing(ChatClient.connect(address_of(server, way))) as client:
            client.sign_up(f"ann-{way}", PASSWORD)
            with pytest.raises(Exception, match="nobody"):
                client.send("nobody", "hello")
    wait_until(lambda: len(collector.spans(SEND)) == 2)
    for span in collector.spans(SEND):
        assert attributes_of(span)["error.type"] == "RECIPIENT_NOT_FOUND"
        assert attributes_of(span)["rpc.response.status_code"] == "NOT_FOUND"
        assert span.status.code == Status.STATUS_CODE_UNSET


def test_without_the_flag_the_library_is_not_loaded(serve: Serve) -> None:
    server = serve(PYTHONPROFILEIMPORTTIME="1")
    assert "grpc._cython" in server.said
    assert "opentelemetry" not in server.said
    assert "chatbooth_grpc.tracing" not in server.said


def test_a_missing_library_is_named(tmp_path: Path, serve: Serve) -> None:
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").write_text("raise ImportError")
    server = serve("--traces", "http://127.0.0.1:1", PYTHONPATH=str(tmp_path))
    assert server.process.wait(60) == 1
    assert "--traces needs the package opentelemetry-exporter-otlp-proto-http" in server.said
    assert "pip install '.[traces]' in a clone" in server.said
