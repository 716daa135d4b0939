"""Content: a text is UTF-8, and the bytes of a kind that is not known stay as they are."""

from __future__ import annotations

import pytest
from hypothesis import given

from chatbooth_grpc.booth.model import ContentKind, Message
from chatbooth_grpc.wire.encoding.delivering import decode_message, encode_message
from chatbooth_grpc.wire.encoding.primitives import BodyError
from tests.wire.encoding.values import messages


@given(messages)
def test_a_text_stays_utf8_and_other_content_is_taken_as_it_is(message: Message) -> None:
    body = encode_message(message._replace(content=b"\xff"))
    if message.kind == ContentKind.TEXT:
        with pytest.raises(BodyError):
            decode_message(body)
    else:
        assert decode_message(body).content == b"\xff"
