"""Bodies: what is encoded is decoded, and no bytes raise anything but a BodyError."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth.errors import Internal
from chatbooth_grpc.booth.model import (
    Delivery,
    End,
    EndReason,
    Gap,
    GapReason,
    Message,
    MessageBatch,
    Opening,
    OutgoingMessage,
    Page,
    Receipt,
    Removal,
    Session,
)
from chatbooth_grpc.wire.encoding import bodies
from chatbooth_grpc.wire.encoding.codes import decode_error
from chatbooth_grpc.wire.encoding.primitives import BodyError, encode_varint

numbers = st.integers(0, (1 << 64) - 1)
texts = st.text(max_size=20)
ids = st.binary(min_size=16, max_size=16)
contents = texts.map(str.encode)
gaps = st.builds(Gap, numbers, numbers, st.just(GapReason.RETENTION))
openings = st.builds(Opening, ids, numbers, numbers, numbers, st.none() | gaps)
messages = st.builds(Message, numbers, texts, numbers, ids, numbers, contents)

PAIRS: list[tuple[Callable[[Any], bytes], Callable[[bytes], Any], st.SearchStrategy[Any]]] = [
    (
        lambda value: bodies.encode_credentials(value.first, value.second),
        bodies.decode_credentials,
        st.builds(bodies.Credentials, texts, texts),
    ),
    (
        bodies.encode_log_in,
        bodies.decode_log_in,
        st.builds(bodies.LogInRequest, texts, texts, st.just(b"") | ids),
    ),
    (
        bodies.encode_list_request,
        bodies.decode_list_request,
        st.builds(bodies.ListRequest, texts, texts, numbers, texts),
    ),
    (bodies.encode_outgoing, bodies.decode_outgoing, st.builds(OutgoingMessage, texts, ids, contents)),
    (
        bodies.encode_deliver_request,
        bodies.decode_deliver_request,
        st.builds(bodies.DeliverRequest, numbers, numbers, st.none() | numbers, st.just(b"") | ids),
    ),
    (
        bodies.encode_acknowledge_request,
        bodies.decode_acknowledge_request,
        st.builds(bodies.AcknowledgeRequest, numbers, st.just(b"") | ids),
    ),
    (bodies.encode_listen_request, bodies.decode_listen_request, st.none() | numbers),
    (bodies.encode_number, bodies.decode_number, numbers),
    (bodies.encode_password, bodies.decode_password, texts),
    (bodies.encode_session, bodies.decode_session, st.builds(Session, ids, numbers, texts, ids)),
    (bodies.encode_page, bodies.decode_page, st.builds(Page, st.lists(texts, max_size=4), texts)),
    (bodies.encode_receipt, bodies.decode_receipt, st.builds(Receipt, numbers)),
    (
        bodies.encode_delivery,
        bodies.decode_delivery,
        st.builds(Delivery, openings, st.lists(messages, max_size=3), st.booleans()),
    ),
    (bodies.encode_removal, bodies.decode_removal, st.builds(Removal, numbers, numbers)),
    (bodies.encode_message, bodies.decode_message, messages),
    (
        bodies.encode_event,
        bodies.decode_push,
        openings | gaps | st.builds(MessageBatch, st.lists(messages, max_size=3)),
    ),
]


@pytest.mark.parametrize(("encode", "decode", "values"), PAIRS, ids=lambda one: getattr(one, "__name__", ""))
@given(data=st.data())
def test_what_is_encoded_is_decoded(
    encode: Callable[[Any], bytes], decode: Callable[[bytes], Any], values: st.SearchStrategy[Any], data: st.DataObject
) -> None:
    value = data.draw(values)
    body = encode(value)
    assert decode(body) == value
    place = data.draw(st.integers(0, max(0, len(body) - 1)))
    for changed in (body[:place], body[:place] + data.draw(st.binary(min_size=1, max_size=3)) + body[place + 1 :]):
        try:
            decode(changed)
        except BodyError:
            continue


@pytest.mark.parametrize("decode", [pair[1] for pair in PAIRS] + [decode_error, bodies.decode_ping])
@given(body=st.binary(max_size=60))
def test_arbitrary_bytes_raise_nothing_else(decode: Callable[[bytes], Any], body: bytes) -> None:
    try:
        decode(body)
    except BodyError:
        return


def test_extensions_are_skipped_and_anything_else_refused() -> None:
    body = bodies.encode_number(7)
    assert bodies.decode_number(body + b"\x01\x02ab" + b"\x05\x00") == 7
    for rest in (b"\x00", b"\x01", b"\x01\x05ab"):
        with pytest.raises(BodyError):
            bodies.decode_number(body + rest)


def test_an_end_carries_its_error() -> None:
    ended = bodies.decode_push(bodies.encode_ended(End(EndReason.FAILED, 9), Internal()))
    assert isinstance(ended, bodies.Ended)
    assert (ended.end, type(ended.error)) == (End(EndReason.FAILED, 9), Internal)


@given(ids, texts)
def test_a_push_of_a_kind_unknown_is_passed_over(rest: bytes, more: str) -> None:
    assert bodies.decode_push(b"\x63" + rest + more.encode()) is None


@given(st.binary(max_size=100))
def test_pings_come_back_as_they_went(payload: bytes) -> None:
    assert bodies.decode_ping(bodies.encode_ping(bodies.ASK, payload)) == (bodies.ASK, payload)


@pytest.mark.parametrize("decode", [bodies.decode_page, bodies.decode_delivery])
def test_a_number_of_items_is_no_promise(decode: Callable[[bytes], Any]) -> None:
    opening = bodies.encode_event(Opening(bytes(16), 1, 0, 0))[1:]
    most = encode_varint((1 << 64) - 1)
    body = b"\x00" + most if decode is bodies.decode_page else opening + b"\x00" + most
    with pytest.raises(BodyError):
        decode(body)


@given(st.binary(max_size=8))
def test_an_empty_body_has_nothing_but_extensions(body: bytes) -> None:
    if not body:
        bodies.decode_empty(body)
    elif body[0] == 0:
        with pytest.raises(BodyError):
            bodies.decode_empty(body)
