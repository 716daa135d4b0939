"""Failures of the saved sessions say which command to type."""

from __future__ import annotations

from chatbooth_grpc.client.failures.session_failures import NotLoggedIn


def test_the_words_say_what_to_type() -> None:
    assert str(NotLoggedIn("127.0.0.1:50051", "ann")).endswith(" login ann")
    assert str(NotLoggedIn("[::1]:7", None)).endswith(" --server '[::1]:7' login USERNAME")
