"""Each unary action's request and reply: converted to protobuf, encoded, decoded and converted back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.actions import ACTIONS, action_name
from chatbooth_grpc.booth.model import NewToken, Page, Removal, SessionEntry, SessionKind, SessionPage
from chatbooth_grpc.booth.tokens import TokenLimits
from chatbooth_grpc.rpc.actions import METHOD_NAMES
from chatbooth_grpc.rpc.converters import CONVERTERS
from tests.rpc.values import deliveries, numbers, sessions, travelled

Values = st.SearchStrategy[Any]

SERVICE = pb.DESCRIPTOR.services_by_name["ChatService"]

nothing = st.none()
counts = st.integers(0, (1 << 32) - 1)
limits = st.builds(TokenLimits, st.booleans(), st.booleans(), st.text(), numbers)
entries = st.builds(
    SessionEntry,
    numbers,
    st.text(),
    st.sampled_from(SessionKind),
    st.integers(0, 2**50),
    st.integers(0, 2**50),
    st.booleans(),
    st.none() | limits,
    st.integers(0, 2**50),
)
sign_ups = st.builds(actions.LogInRequest, st.text(), st.text(), st.binary(), st.text(), st.text())
log_ins = st.builds(actions.LogInRequest, st.text(), st.text(), st.binary(), st.text(), st.just(""))

VALUES: dict[int, tuple[Values, Values]] = {
    actions.SIGN_UP: (sign_ups, sessions),
    actions.LIST: (
        st.builds(actions.ListRequest, st.text(), st.text(), counts, st.text()),
        st.builds(Page, st.lists(st.text(), max_size=4), st.text()),
    ),
    actions.DELIVER: (
        st.builds(actions.DeliverRequest, numbers, st.none() | st.just(0) | numbers, counts, st.binary()),
        deliveries,
    ),
    actions.DELETE: (st.builds(actions.DeleteRequest, st.text()), st.builds(Removal, numbers, counts)),
    actions.LOG_IN: (log_ins, sessions),
    actions.LOG_OUT: (nothing, nothing),
    actions.ACKNOWLEDGE: (st.builds(actions.AcknowledgeRequest, numbers, st.binary()), nothing),
    actions.CHANGE_PASSWORD: (st.builds(actions.ChangePasswordRequest, st.text(), st.text()), counts),
    actions.SET_BLOCK: (st.builds(actions.SetBlockRequest, st.text(), st.booleans()), nothing),
    actions.LIST_SESSIONS: (
        st.builds(actions.ListSessionsRequest, counts, st.text()),
        st.builds(SessionPage, st.lists(entries, max_size=3), st.text()),
    ),
    actions.CREATE_TOKEN: (
        st.builds(actions.CreateTokenRequest, st.binary(), st.text(), limits, numbers),
        st.builds(NewToken, sessions, numbers, st.integers(0, 2**50)),
    ),
    actions.END_SESSION: (st.builds(actions.EndSessionRequest, numbers), nothing),
    actions.LIST_BLOCKS: (
        st.builds(actions.ListBlocksRequest, counts, st.text()),
        st.builds(Page, st.lists(st.text(), max_size=4), st.text()),
    ),
}
"""For each unary action, all requests and all replies."""


def test_each_unary_action_has_a_converter_and_no_other_action_has() -> None:
    assert set(CONVERTERS) == {number for number, row in ACTIONS.items() if row.subject} == set(VALUES)
    assert all(converter.action == number for number, converter in CONVERTERS.items())


@pytest.mark.parametrize("action", CONVERTERS, ids=action_name)
@given(data=st.data())
def test_requests_and_replies_travel_as_the_methods_messages(action: int, data: st.DataObject) -> None:
    converter = CONVERTERS[action]
    method = SERVICE.methods_by_name[METHOD_NAMES[action]]
    request, reply = (data.draw(values) for values in VALUES[action])
    request_pb, reply_pb = converter.request_to_pb(request), converter.reply_to_pb(reply)
    assert [method.input_type, method.output_type] == [request_pb.DESCRIPTOR, reply_pb.DESCRIPTOR]
    assert converter.request_from_pb(travelled(request_pb)) == request
    assert converter.reply_from_pb(travelled(reply_pb)) == reply
