"""The model's nouns as protobuf messages and back, through the bytes that gRPC sends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.model import (
    MAX_KIND,
    ContentKind,
    End,
    EndReason,
    Event,
    Gap,
    GapReason,
    Message,
    Opening,
    OutgoingMessage,
    UnknownEvent,
)
from chatbooth_grpc.rpc.messages import (
    NO_KIND,
    event_from_pb,
    event_to_pb,
    message_from_pb,
    message_to_pb,
    opening_from_pb,
    opening_to_pb,
    outgoing_from_pb,
    outgoing_to_pb,
    time_from_pb,
    time_to_pb,
)
from chatbooth_grpc.rpc.unknown_fields import add_unknown_content, unknown_content
from tests.rpc.values import events, messages, openings, outgoing_messages, times, travelled


@given(times)
def test_times_keep_their_microseconds(time: int) -> None:
    timestamp = travelled(time_to_pb(time))
    assert time_from_pb(timestamp) == time
    assert 0 <= timestamp.nanos < 1_000_000_000


@given(st.integers(0, 999_999_999))
def test_times_of_a_finer_clock_are_cut(nanos: int) -> None:
    timestamp = time_to_pb(1_000_000)
    timestamp.nanos = nanos
    assert time_from_pb(timestamp) == 1_000_000 + nanos // 1_000


@given(outgoing_messages)
def test_outgoing_messages_travel(message: OutgoingMessage) -> None:
    assert outgoing_from_pb(travelled(outgoing_to_pb(message))) == message


def test_a_request_without_content_is_an_empty_text() -> None:
    assert outgoing_from_pb(pb.SendRequest(recipient="ben")).content == b""


@pytest.mark.parametrize("carrier", [pb.Message(text="hello"), pb.SendRequest(text="hello")])
def test_a_text_is_the_field_that_the_proto_promises_for_its_kind(carrier: pb.Message | pb.SendRequest) -> None:
    same = type(carrier)()
    add_unknown_content(same, ContentKind.TEXT, b"hello")
    assert same == carrier
    assert unknown_content(same) is None


def test_the_fields_of_contents_are_the_protos_kinds() -> None:
    kinds = {name: number for name, number in pb.ContentKind.items() if number}
    assert kinds == {f"CONTENT_KIND_{kind.name}": int(kind) for kind in ContentKind}
    for carrier, offset in ((pb.Message, 5), (pb.SendRequest, 2)):
        fields = carrier.DESCRIPTOR.oneofs_by_name["content"].fields
        assert {f"CONTENT_KIND_{field.name.upper()}": field.number - offset for field in fields} == kinds
        others = {field.number for field in carrier.DESCRIPTOR.fields} - {field.number for field in fields}
        assert not others & set(range(offset + 1, offset + MAX_KIND + 1))


def test_a_field_that_is_no_content_is_passed_over() -> None:
    message = pb.Message.FromString(pb.Message(sequence=1, text="hi").SerializeToString() + b"\xe2\x12\x02hi")
    assert message_from_pb(message).text == "hi"
    assert unknown_content(message) is None


def test_the_last_unknown_content_counts_and_one_that_has_no_bytes_keeps_its_kind() -> None:
    message = pb.Message.FromString(b"\x4a\x01a\x52\x01b")
    assert unknown_content(message) == (5, b"b")
    assert unknown_content(pb.Message.FromString(b"\x48\x07")) == (4, b"")


@pytest.mark.parametrize("kind", [-1, 0, MAX_KIND + 1])
def test_a_number_that_no_kind_may_have_touches_no_other_field(kind: int) -> None:
    message = Message(1, "ben", 8, b"m" * 16, 1_000_000, b"content", kind)
    assert message_from_pb(message_to_pb(message)) == message._replace(content=b"", kind=NO_KIND)


def test_a_message_without_content_is_no_empty_text() -> None:
    bare = message_from_pb(pb.Message(sequence=1))
    assert (bare.kind, bare.content) == (NO_KIND, b"")
    assert bare.text == "a message of a kind that this client does not know (kind 0); update the client"


@given(messages)
def test_messages_travel(message: Message) -> None:
    assert message_from_pb(travelled(message_to_pb(message))) == message


@given(openings)
def test_openings_travel(opening: Opening) -> None:
    assert opening_from_pb(travelled(opening_to_pb(opening))) == opening


@given(events)
def test_events_travel(event: Event) -> None:
    assert event_from_pb(travelled(event_to_pb(event))) == event


def test_values_that_only_a_newer_server_knows_are_no_error() -> None:
    assert event_from_pb(pb.ListenResponse()) == UnknownEvent(0)
    assert event_from_pb(pb.ListenResponse.FromString(b"\x4a\x05event")) == UnknownEvent(9)
    gap, end = pb.Gap(first_sequence=1, last_sequence=2), pb.End(sent_through=3)
    gap.reason, end.reason = 77, 78  # type: ignore[assignment]
    assert event_from_pb(travelled(pb.ListenResponse(gap=gap))) == Gap(1, 2, GapReason.UNSPECIFIED)
    assert event_from_pb(travelled(pb.ListenResponse(end=end))) == End(EndReason.UNSPECIFIED, 3)


def test_the_models_numbers_are_the_protos() -> None:
    assert {f"GAP_REASON_{reason.name}": int(reason) for reason in GapReason} == dict(pb.GapReason.items())
    assert {f"END_REASON_{reason.name}": int(reason) for reason in EndReason} == dict(pb.EndReason.items())
