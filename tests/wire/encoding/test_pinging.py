"""Pings: their kind and their payload."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.wire.encoding.pinging import ANSWER, ASK, decode_ping, encode_ping


@given(st.integers(2, 255), st.binary(max_size=20))
def test_a_ping_of_an_unknown_kind_is_no_error_with_any_payload(kind: int, rest: bytes) -> None:
    assert decode_ping(bytes((kind,)) + rest) == (kind, b"")


@pytest.mark.parametrize("kind", [ASK, ANSWER])
@given(payload=st.binary(max_size=100))
def test_pings_come_back_as_they_went(kind: int, payload: bytes) -> None:
    assert decode_ping(encode_ping(kind, payload)) == (kind, payload)
