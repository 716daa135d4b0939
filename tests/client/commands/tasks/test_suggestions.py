"""The names that are close to the one that was typed."""

from __future__ import annotations

import re

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import DeadlineExceeded, RecipientNotFound
from chatbooth_grpc.client.commands.tasks.suggestions import one_slip_from, with_near_names
from chatbooth_grpc.client.library.chat_client import ChatClient
from tests.client.booths import PASSWORD, BoothTransport

NAMES = st.from_regex(r"[a-z0-9][a-z0-9_.-]{2,31}", fullmatch=True)
LETTERS = st.sampled_from("abcdefghijklmnopqrstuvwxyz0123456789._-")


def slips(name: str, letter: str) -> set[str]:
    """Return every name that one typing error makes of a name."""
    made = set()
    for place in range(len(name)):
        start, end = name[:place], name[place:]
        made |= {start + end[1:], start + letter + end, start + letter + end[1:], start + end[1:2] + end[:1] + end[2:]}
    return {*made, name + letter}


@given(NAMES, LETTERS)
def test_the_pattern_finds_every_typing_error(name: str, letter: str) -> None:
    pattern = one_slip_from(name)
    assert len(pattern) < 1_000
    assert [slip for slip in slips(name, letter) if not re2.search(pattern, slip)] == []
    assert re.search(pattern, name)


@pytest.fixture
def client(booth: Booth) -> ChatClient:
    """Return a client of an account that has others near its name."""
    for username in ("carol", "bob", "cab", "dave"):
        booth.sign_up(username, PASSWORD)
    client = ChatClient(BoothTransport(booth))
    client.log_in("bob", PASSWORD)
    return client


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("crol", "Perhaps you mean carol."),
        ("Carlo", "Perhaps you mean carol."),
        ("carool", "Perhaps you mean carol."),
        ("nobody", "List the accounts to see who is there."),
        ("ca", "List the accounts to see who is there."),
    ],
)
def test_an_error_names_accounts_with_similar_names(client: ChatClient, typed: str, words: str) -> None:
    error = with_near_names(client, RecipientNotFound(typed))
    assert str(error) == f"There is no account named {typed}. {words}"


def test_a_server_that_cannot_list_does_not_hide_the_error(client: ChatClient) -> None:
    def fail(_action: str) -> None:
        raise DeadlineExceeded

    transport = client._transport
    assert isinstance(transport, BoothTransport)
    transport.before = fail
    client.timeout = 0.1
    error = RecipientNotFound("crol")
    assert with_near_names(client, error) is error
