"""What to type next is said in the words that started the program."""

from __future__ import annotations

import pytest

from chatbooth_grpc.client.invocation import command_line


@pytest.mark.parametrize(
    ("started_as", "words"),
    [
        ("/usr/local/bin/chatbooth", "chatbooth"),
        ("/x/chatbooth_grpc/client/__main__.py", "python -m chatbooth_grpc.client"),
        ("-c", "python -m chatbooth_grpc.client"),
    ],
)
def test_the_program_is_named_as_it_was_started(started_as: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [started_as])
    assert command_line("127.0.0.1:50051", "login", "ann") == f"{words} login ann"


def test_another_server_is_named_and_words_are_quoted() -> None:
    assert command_line("h:1", "send", "it's").endswith(""" --server h:1 send 'it'"'"'s'""")
