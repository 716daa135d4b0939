"""Hypothesis strategies for the nouns that gRPC carries, and their way over the wire."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.message import Message as ProtobufMessage
from hypothesis import strategies as st

from chatbooth_grpc.booth.model import (
    MAX_KIND,
    ContentKind,
    Delivery,
    End,
    EndReason,
    Gap,
    GapReason,
    Message,
    MessageBatch,
    Opening,
    OutgoingMessage,
    Session,
)

P = TypeVar("P", bound=ProtobufMessage)

numbers = st.integers(0, 2**64 - 1)
times = st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)  # the years 1 to 9999
kinds_and_contents = st.tuples(st.just(ContentKind.TEXT), st.text(max_size=50).map(str.encode)) | st.tuples(
    st.integers(2, MAX_KIND), st.binary(max_size=200)
)

sessions = st.builds(Session, st.binary(), numbers, st.text(), st.binary())
outgoing_messages = st.builds(
    lambda recipient, message_id, kind_and_content: OutgoingMessage(recipient, message_id, *reversed(kind_and_content)),
    *(st.text(), st.binary(), kinds_and_contents),
)
messages = st.builds(
    lambda *fields: Message(*fields[:-1], *reversed(fields[-1])),
    *(numbers, st.text(), numbers, st.binary(), times, kinds_and_contents),
)
gaps = st.builds(Gap, numbers, numbers, st.sampled_from(GapReason))
openings = st.builds(Opening, st.binary(), numbers, numbers, numbers, st.none() | gaps)
deliveries = st.builds(Delivery, openings, st.lists(messages, max_size=4), st.booleans())
ends = st.builds(End, st.sampled_from(EndReason), numbers)
events = openings | gaps | ends | st.builds(MessageBatch, st.lists(messages, max_size=4))


def travelled(message: P) -> P:
    """Return the message as the other side reads it."""
    return type(message).FromString(message.SerializeToString())
