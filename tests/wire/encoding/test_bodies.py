"""Bodies: what is encoded is decoded, and no bytes raise anything but a BodyError."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth.errors import Internal
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
    Page,
    Receipt,
    Removal,
    Session,
)
from chatbooth_grpc.wire.encoding import accounts, delivering, lists, pinging, pushes, sending
from chatbooth_grpc.wire.encoding.codes import decode_error
from chatbooth_grpc.wire.encoding.primitives import BodyError, decode_empty, decode_number, encode_varint

numbers = st.integers(0, (1 << 64) - 1)
texts = st.text(max_size=20)
ids = st.binary(min_size=16, max_size=16)
kinds_and_contents = st.tuples(st.just(ContentKind.TEXT), texts.map(str.encode)) | st.tuples(
    st.integers(0, MAX_KIND).filter(lambda kind: kind != ContentKind.TEXT), st.binary(max_size=20)
)
outgoing_messages = st.builds(
    lambda recipient, message_id, kind_and_content: OutgoingMessage(recipient, message_id, *reversed(kind_and_content)),
    *(texts, ids, kinds_and_contents),
)
gaps = st.builds(Gap, numbers, numbers, st.just(GapReason.RETENTION))
openings = st.builds(Opening, ids, numbers, numbers, numbers, st.none() | gaps)
messages = st.builds(
    lambda *fields: Message(*fields[:-1], *reversed(fields[-1])),
    *(numbers, texts, numbers, ids, numbers, kinds_and_contents),
)

PAIRS: list[tuple[Callable[[Any], bytes], Callable[[bytes], Any], st.SearchStrategy[Any]]] = [
    (
        accounts.encode_password_change,
        accounts.decode_password_change,
        st.builds(accounts.PasswordChange, texts, texts),
    ),
    (
        accounts.encode_log_in,
        accounts.decode_log_in,
        st.builds(accounts.LogInRequest, texts, texts, st.just(b"") | ids),
    ),
    (
        lists.encode_list_request,
        lists.decode_list_request,
        st.builds(lists.ListRequest, texts, texts, numbers, texts),
    ),
    (sending.encode_outgoing, sending.decode_outgoing, outgoing_messages),
    (
        delivering.encode_deliver_request,
        delivering.decode_deliver_request,
        st.builds(delivering.DeliverRequest, numbers, numbers, st.none() | numbers, st.just(b"") | ids),
    ),
    (
        delivering.encode_acknowledge_request,
        delivering.decode_acknowledge_request,
        st.builds(delivering.AcknowledgeRequest, numbers, st.just(b"") | ids),
    ),
    (pushes.encode_listen_request, pushes.decode_listen_request, st.none() | numbers),
    (encode_varint, decode_number, numbers),
    (accounts.encode_password, accounts.decode_password, texts),
    (accounts.encode_session, accounts.decode_session, st.builds(Session, ids, numbers, texts, ids)),
    (lists.encode_page, lists.decode_page, st.builds(Page, st.lists(texts, max_size=4), texts)),
    (sending.encode_receipt, sending.decode_receipt, st.builds(Receipt, numbers)),
    (
        delivering.encode_delivery,
        delivering.decode_delivery,
        st.builds(Delivery, openings, st.lists(messages, max_size=3), st.booleans()),
    ),
    (accounts.encode_removal, accounts.decode_removal, st.builds(Removal, numbers, numbers)),
    (delivering.encode_message, delivering.decode_message, messages),
    (
        pushes.encode_event,
        pushes.decode_push,
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


@pytest.mark.parametrize("decode", [pair[1] for pair in PAIRS] + [decode_error, pinging.decode_ping])
@given(body=st.binary(max_size=60))
def test_arbitrary_bytes_raise_nothing_else(decode: Callable[[bytes], Any], body: bytes) -> None:
    try:
        decode(body)
    except BodyError:
        return


def test_extensions_are_skipped_and_anything_else_refused() -> None:
    body = encode_varint(7)
    assert decode_number(body + b"\x01\x02ab" + b"\x05\x00") == 7
    for rest in (b"\x00", b"\x01", b"\x01\x05ab"):
        with pytest.raises(BodyError):
            decode_number(body + rest)


@given(messages)
def test_a_text_stays_utf8_and_other_content_is_taken_as_it_is(message: Message) -> None:
    body = delivering.encode_message(message._replace(content=b"\xff"))
    if message.kind == ContentKind.TEXT:
        with pytest.raises(BodyError):
            delivering.decode_message(body)
    else:
        assert delivering.decode_message(body).content == b"\xff"


def test_an_end_carries_its_error() -> None:
    ended = pushes.decode_push(pushes.encode_ended(End(EndReason.FAILED, 9), Internal()))
    assert isinstance(ended, pushes.Ended)
    assert (ended.end, type(ended.error)) == (End(EndReason.FAILED, 9), Internal)


@given(ids, texts)
def test_a_push_of_a_kind_unknown_is_passed_over(rest: bytes, more: str) -> None:
    assert pushes.decode_push(b"\x63" + rest + more.encode()) is None


@given(st.binary(max_size=100))
def test_pings_come_back_as_they_went(payload: bytes) -> None:
    assert pinging.decode_ping(pinging.encode_ping(pinging.ASK, payload)) == (pinging.ASK, payload)


@pytest.mark.parametrize("decode", [lists.decode_page, delivering.decode_delivery])
def test_a_number_of_items_is_no_promise(decode: Callable[[bytes], Any]) -> None:
    opening = pushes.encode_event(Opening(bytes(16), 1, 0, 0))[1:]
    most = encode_varint((1 << 64) - 1)
    body = b"\x00" + most if decode is lists.decode_page else opening + b"\x00" + most
    with pytest.raises(BodyError):
        decode(body)


@given(st.binary(max_size=8))
def test_an_empty_body_has_nothing_but_extensions(body: bytes) -> None:
    if not body:
        decode_empty(body)
    elif body[0] == 0:
        with pytest.raises(BodyError):
            decode_empty(body)
