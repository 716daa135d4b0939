"""A delivery that promises more messages than it has."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.model import Opening
from chatbooth_grpc.wire.encoding.delivering import decode_delivery, write_opening
from chatbooth_grpc.wire.encoding.primitives import BodyError, BodyWriter, encode_varint


def test_a_number_of_messages_is_no_promise() -> None:
    opening = write_opening(BodyWriter(), Opening(bytes(16), 1, 0, 0)).bytes()
    with pytest.raises(BodyError):
        decode_delivery(opening + b"\x00" + encode_varint((1 << 64) - 1))
