"""Where a password comes from, and that no other text is used as one by mistake."""

from __future__ import annotations

import io

import pytest

from chatbooth_grpc.client.failures.command_failure import Misuse
from chatbooth_grpc.client.terminal.passwords import Passwords
from chatbooth_grpc.client.terminal.prompts import Prompts

BOTH = {"CHATBOOTH_PASSWORD": "old one", "CHATBOOTH_NEW_PASSWORD": "new one"}


class Typing(Prompts):
    """Prompts whose secrets the test types."""

    def __init__(self, *secrets: str, stdin: bytes = b"") -> None:
        super().__init__(io.BytesIO(stdin), io.StringIO())
        self.asked: list[str] = []
        self._secrets = list(secrets)

    def secret(self, question: str) -> str:
        self.asked.append(question)
        if not self._secrets:
            raise EOFError
        return self._secrets.pop(0)


def test_a_variable_replaces_the_question() -> None:
    typing = Typing()
    passwords = Passwords(typing, BOTH, from_stdin=False)
    assert (passwords.current("ann"), passwords.first("ann"), passwords.new("ann")) == ("old one", "old one", "new one")
    assert typing.asked == []


def test_lines_of_standard_input_come_before_the_variable() -> None:
    passwords = Passwords(Typing(stdin=b"\xef\xbb\xbffirst \nsecond\r\n"), BOTH, from_stdin=True)
    assert (passwords.current("ann"), passwords.new("ann")) == ("first ", "second")


@pytest.mark.parametrize("stdin", [b"", b"\n", b"\xff\n"])
def test_a_missing_line_is_an_error(stdin: bytes) -> None:
    with pytest.raises(Misuse):
        Passwords(Typing("typed", stdin=stdin), BOTH, from_stdin=True).current("ann")


def test_a_new_password_is_asked_for_twice() -> None:
    typing = Typing("secret", "secret", "other", "otter", "old")
    passwords = Passwords(typing, {}, from_stdin=False)
    assert passwords.first("ann") == "secret"
    with pytest.raises(Misuse, match="differ"):
        passwords.new("ann")
    assert passwords.current("ann") == "old"
    assert typing.asked == [
        "Password for ann: ",
        "The same again: ",
        "New password for ann: ",
        "The same again: ",
        "Password of ann: ",
    ]


def test_an_empty_answer_is_no_password() -> None:
    with pytest.raises(Misuse, match="No password"):
        Passwords(Typing(), {}, from_stdin=False).current("ann")
