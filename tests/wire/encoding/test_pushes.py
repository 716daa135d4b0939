"""Pushes: an end carries its error, and a kind that is not known is passed over."""

from __future__ import annotations

from hypothesis import given

from chatbooth_grpc.booth.errors import Internal
from chatbooth_grpc.booth.model import End, EndReason
from chatbooth_grpc.wire.encoding.pushes import Ended, decode_push, encode_ended
from tests.wire.encoding.values import ids, texts


def test_an_end_carries_its_error() -> None:
    ended = decode_push(encode_ended(End(EndReason.FAILED, 9), Internal()))
    assert isinstance(ended, Ended)
    assert (ended.end, type(ended.error)) == (End(EndReason.FAILED, 9), Internal)


@given(ids, texts)
def test_a_push_of_a_kind_unknown_is_passed_over(rest: bytes, more: str) -> None:
    assert decode_push(b"\x63" + rest + more.encode()) is None
