"""The bodies of each action are decoded as they were encoded. Bad bytes raise a BodyError."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.actions import ACTIONS, action_name
from chatbooth_grpc.booth.model import (
    Delivery,
    MessageBatch,
    NewToken,
    Page,
    Receipt,
    Removal,
    Session,
    SessionEntry,
    SessionKind,
    SessionPage,
)
from chatbooth_grpc.booth.tokens import TokenLimits
from chatbooth_grpc.wire.encoding import pushes, sending
from chatbooth_grpc.wire.encoding.codecs import CODECS
from chatbooth_grpc.wire.encoding.codes import decode_error
from chatbooth_grpc.wire.encoding.delivering import (
    decode_message,
    encode_message,
)
from chatbooth_grpc.wire.encoding.pinging import decode_ping
from chatbooth_grpc.wire.encoding.primitives import BodyError
from chatbooth_grpc.wire.encoding.pushes import decode_push, encode_event
from tests.wire.encoding.values import gaps, ids, messages, numbers, openings, outgoing_messages, texts

Values = st.SearchStrategy[Any]
Encode = Callable[[Any], bytes]
Decode = Callable[[bytes], Any]

nothing = st.none()
epochs = st.just(b"") | ids
limits = st.builds(TokenLimits, st.booleans(), st.booleans(), texts, numbers)
entries = st.builds(
    SessionEntry,
    numbers,
    texts,
    st.sampled_from(SessionKind),
    st.integers(0, 2**50),
    st.integers(0, 2**50),
    st.booleans(),
    st.none() | limits,
    st.integers(0, 2**50),
)
sign_ups = st.builds(actions.LogInRequest, texts, texts, st.just(b"") | ids, texts, texts)
log_ins = st.builds(actions.LogInRequest, texts, texts, st.just(b"") | ids, texts, st.just(""))
sessions = st.builds(Session, ids, numbers, texts, ids)

VALUES: dict[int, tuple[Values, Values]] = {
    actions.SIGN_UP: (sign_ups, sessions),
    actions.LIST: (
        st.builds(actions.ListRequest, texts, texts, numbers, texts),
        st.builds(Page, st.lists(texts, max_size=4), texts),
    ),
    actions.SEND: (outgoing_messages, st.builds(Receipt, numbers)),
    actions.DELIVER: (
        st.builds(actions.DeliverRequest, numbers, st.none() | numbers, numbers, epochs),
        st.builds(Delivery, openings, st.lists(messages, max_size=3), st.booleans()),
    ),
    actions.DELETE: (st.builds(actions.DeleteRequest, texts), st.builds(Removal, numbers, numbers)),
    actions.LOG_IN: (log_ins, sessions),
    actions.LOG_OUT: (nothing, nothing),
    actions.ACKNOWLEDGE: (st.builds(actions.AcknowledgeRequest, numbers, epochs), nothing),
    actions.CHANGE_PASSWORD: (st.builds(actions.ChangePasswordRequest, texts, texts), numbers),
    actions.SET_BLOCK: (st.builds(actions.SetBlockRequest, texts, st.booleans()), nothing),
    actions.LIST_SESSIONS: (
        st.builds(actions.ListSessionsRequest, numbers, texts),
        st.builds(SessionPage, st.lists(entries, max_size=3), texts),
    ),
    actions.CREATE_TOKEN: (
        st.builds(actions.CreateTokenRequest, ids, texts, limits, numbers),
        st.builds(NewToken, sessions, numbers, st.integers(0, 2**50)),
    ),
    actions.END_SESSION: (st.builds(actions.EndSessionRequest, numbers), nothing),
    actions.LIST_BLOCKS: (
        st.builds(actions.ListBlocksRequest, numbers, texts),
        st.builds(Page, st.lists(texts, max_size=4), texts),
    ),
}
"""For each action, all requests and all replies."""

ALL = {**CODECS, actions.SEND: sending.CODEC}

CASES: dict[str, tuple[Encode, Decode, Values]] = {
    **{
        f"{action_name(action)} request": (codec.encode_request, codec.decode_request, VALUES[action][0])
        for action, codec in ALL.items()
    },
    **{
        f"{action_name(action)} reply": (codec.encode_reply, codec.decode_reply, VALUES[action][1])
        for action, codec in ALL.items()
    },
    "LISTEN request": (pushes.encode_listen_request, pushes.decode_listen_request, st.none() | numbers),
    "message": (encode_message, decode_message, messages),
    "push": (encode_event, decode_push, openings | gaps | st.builds(MessageBatch, st.lists(messages, max_size=3))),
}
DECODERS = {name: case[1] for name, case in CASES.items()} | {"error": decode_error, "ping": decode_ping}


def test_each_unary_action_has_a_codec_and_no_other_action_has() -> None:
    assert set(CODECS) == {number for number, row in ACTIONS.items() if row.subject}
    assert all(codec.action == number for number, codec in CODECS.items())


@pytest.mark.parametrize("name", CASES)
@given(data=st.data())
def test_an_encoded_body_is_decoded_to_the_same(name: str, data: st.DataObject) -> None:
    encode, decode, values = CASES[name]
    value = data.draw(values)
    body = encode(value)
    assert decode(body) == value
    place = data.draw(st.integers(0, max(0, len(body) - 1)))
    for changed in (body[:place], body[:place] + data.draw(st.binary(min_size=1, max_size=3)) + body[place + 1 :]):
        try:
            decode(changed)
        except BodyError:
            continue


@pytest.mark.parametrize("name", DECODERS)
@given(body=st.binary(max_size=60))
def test_arbitrary_bytes_raise_nothing_else(name: str, body: bytes) -> None:
    try:
        DECODERS[name](body)
    except BodyError:
        return
