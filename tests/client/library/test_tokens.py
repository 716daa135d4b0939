"""A client that has a token's text alone acts with that token."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.errors import SessionInvalid
from chatbooth_grpc.booth.model import NewToken, Session
from chatbooth_grpc.client import ChatClient
from chatbooth_grpc.client.library.tokens import session_of_token

SECRET = bytes(range(1, 17))


def test_the_text_of_a_new_token_is_its_secret() -> None:
    made = NewToken(Session(SECRET, 7, "ann", bytes(16)), 3, 0)
    for text in (made.text, f" {made.text.upper()}\r\n"):
        assert session_of_token(text).token == SECRET
    with ChatClient.connect("127.0.0.1:1", token=made.text) as client:
        assert client.session is not None
        assert client.session.token == SECRET


@pytest.mark.parametrize("text", ["", "\n", "00", "x" * 32, SECRET.hex() * 2, f"{SECRET.hex()}\n{SECRET.hex()}"])
def test_any_other_text_is_no_token(text: str) -> None:
    with pytest.raises(SessionInvalid):
        ChatClient.connect("127.0.0.1:1", token=text)
