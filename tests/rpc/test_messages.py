"""The model's nouns through protobuf and back, by way of the bytes on the wire."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import Message as ProtobufMessage
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth.model import (
    Delivery,
    End,
    EndReason,
    Event,
    Gap,
    GapReason,
    Message,
    MessageBatch,
    Opening,
    OutgoingMessage,
    Session,
)
from chatbooth_grpc.rpc.messages import (
    delivery_from_pb,
    delivery_to_pb,
    event_from_pb,
    event_to_pb,
    message_from_pb,
    message_to_pb,
    opening_from_pb,
    opening_to_pb,
    outgoing_from_pb,
    outgoing_to_pb,
    session_from_pb,
    session_to_pb,
    time_from_pb,
    time_to_pb,
)

P = TypeVar("P", bound=ProtobufMessage)

numbers = st.integers(0, 2**64 - 1)
times = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)  # the years 1 to 9999
contents = st.text(max_size=50).map(str.encode)

sessions = st.builds(Session, st.binary(), numbers, st.text(), st.binary())
outgoing_messages = st.builds(OutgoingMessage, st.text(), st.binary(), contents)
messages = st.builds(Message, numbers, st.text(), numbers, st.binary(), times, contents)
gaps = st.builds(Gap, numbers, numbers, st.sampled_from(GapReason))
openings = st.builds(Opening, st.binary(), numbers, numbers, numbers, st.none() | gaps)
deliveries = st.builds(Delivery, openings, st.lists(messages, max_size=4), st.booleans())
ends = st.builds(End, st.sampled_from(EndReason), numbers)
events = openings | gaps | ends | st.builds(MessageBatch, st.lists(messages, max_size=4))


def travelled(message: P) -> P:
    """The message as the other side reads it."""
    return type(message).FromString(message.SerializeToString())


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


@given(sessions)
def test_sessions_travel(session: Session) -> None:
    assert session_from_pb(travelled(session_to_pb(session))) == session


@given(outgoing_messages)
def test_outgoing_messages_travel(message: OutgoingMessage) -> None:
    assert outgoing_from_pb(travelled(outgoing_to_pb(message))) == message


def test_a_request_without_content_is_an_empty_text() -> None:
    assert outgoing_from_pb(pb.SendRequest(recipient="ben")).content == b""


@given(messages)
def test_messages_travel(message: Message) -> None:
    assert message_from_pb(travelled(message_to_pb(message))) == message


@given(openings)
def test_openings_travel(opening: Opening) -> None:
    assert opening_from_pb(travelled(opening_to_pb(opening))) == opening


@given(deliveries)
def test_deliveries_travel(delivery: Delivery) -> None:
    assert delivery_from_pb(travelled(delivery_to_pb(delivery))) == delivery


@given(events)
def test_events_travel(event: Event) -> None:
    assert event_from_pb(travelled(event_to_pb(event))) == event


def test_what_a_newer_server_tells_is_no_error() -> None:
    assert event_from_pb(pb.ListenResponse()) is None
    gap, end = pb.Gap(first_sequence=1, last_sequence=2), pb.End(sent_through=3)
    gap.reason, end.reason = 77, 78  # type: ignore[assignment]
    assert event_from_pb(travelled(pb.ListenResponse(gap=gap))) == Gap(1, 2, GapReason.UNSPECIFIED)
    assert event_from_pb(travelled(pb.ListenResponse(end=end))) == End(EndReason.UNSPECIFIED, 3)


def test_the_models_numbers_are_the_protos() -> None:
    assert {f"GAP_REASON_{reason.name}": int(reason) for reason in GapReason} == dict(pb.GapReason.items())
    assert {f"END_REASON_{reason.name}": int(reason) for reason in EndReason} == dict(pb.EndReason.items())
