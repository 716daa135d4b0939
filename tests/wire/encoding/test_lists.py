"""A page of names that promises more names than it has."""

from __future__ import annotations

import pytest

from chatbooth_grpc.wire.encoding.lists import decode_page
from chatbooth_grpc.wire.encoding.primitives import BodyError, encode_varint


def test_a_number_of_names_is_no_promise() -> None:
    with pytest.raises(BodyError):
        decode_page(b"\x00" + encode_varint((1 << 64) - 1))
