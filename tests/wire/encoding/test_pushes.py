"""Pushes: an end carries its error, and a kind that is not known is passed over."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth.errors import Internal
from chatbooth_grpc.booth.model import End, EndReason, UnknownEvent
from chatbooth_grpc.wire.encoding.pushes import Ended, decode_push, encode_ended


def test_an_end_carries_its_error() -> None:
    ended = decode_push(encode_ended(End(EndReason.FAILED, 9), Internal()))
    assert isinstance(ended, Ended)
    assert (ended.end, type(ended.error)) == (End(EndReason.FAILED, 9), Internal)


@given(st.integers(0, 255).filter(lambda kind: kind not in {1, 2, 3, 4}), st.binary(max_size=40))
def test_a_push_of_an_unknown_kind_is_no_error_with_any_payload(kind: int, rest: bytes) -> None:
    assert decode_push(bytes((kind,)) + rest) == UnknownEvent(kind)
