"""Pings: their kind and their payload."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.wire.encoding.pinging import ANSWER, ASK, decode_ping, encode_ping


@pytest.mark.parametrize("kind", [ASK, ANSWER])
@given(payload=st.binary(max_size=100))
def test_pings_come_back_as_they_went(kind: int, payload: bytes) -> None:
    assert decode_ping(encode_ping(kind, payload)) == (kind, payload)
