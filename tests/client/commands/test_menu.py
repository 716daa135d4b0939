"""The menu: five choices and Q. An error does not end it, and the end of input does."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import ServerUnreachable, WrongCredentials
from chatbooth_grpc.booth.model import OutgoingMessage
from chatbooth_grpc.booth.store import NewMessage
from chatbooth_grpc.client.commands.menu import run_menu
from chatbooth_grpc.client.commands.signup import sign_up
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.client.booths import PASSWORD, SERVER, Desk
from tests.contract.stores import send


def through_menu(desk: Desk, *typed: str, as_user: str | None = None) -> str:
    """Type lines, also passwords, into the menu, and return its output."""
    run_menu(desk.context(as_user, "".join(f"{line}\n" for line in typed), from_stdin=True))
    return desk.said()


def test_all_five_choices(desk: Desk, booth: Booth) -> None:
    words = through_menu(
        desk, "1", "s", "Ann", PASSWORD, "2", "", "3", "ann", " tea? ", "4", "5", "ann", PASSWORD, "Q", "2"
    )
    ann, message = desk.printed()
    assert ann == "ann"
    assert message.endswith("  ann:  tea? ")
    for said in ("Signed up as ann", "Sent to ann", "Deleted ann", "you are ann", "not logged in"):
        assert said in words
    with pytest.raises(WrongCredentials):
        booth.log_in("ann", PASSWORD)


def test_content_of_an_unknown_kind_is_shown_as_unknown_and_the_menu_continues(
    desk: Desk, booth: Booth, store: SQLiteStore
) -> None:
    sign_up(desk.context(), "ann")
    session = booth.authenticated(desk.context().pick().session.token)
    send(store, NewMessage(session, OutgoingMessage("ann", b"i" * 16, b"\xff", 9), bytes(16)))
    words = through_menu(desk, "4", "4", "Q")
    [message] = desk.printed()
    assert message.endswith("a message of a kind that this client does not know (kind 9); update the client")
    assert "No new messages." in words


def test_the_choices_are_those_of_the_original_program(desk: Desk) -> None:
    words = through_menu(desk, "q")
    assert words.splitlines()[2:8] == [
        "1  sign up or log in",
        "2  list accounts",
        "3  send a message",
        "4  deliver messages",
        "5  delete the account",
        "Q  quit",
    ]


def test_logging_in_makes_that_account_the_one_that_acts(desk: Desk, booth: Booth) -> None:
    for username in ("ann", "ben"):
        booth.sign_up(username, PASSWORD)
    words = through_menu(desk, "1", "l", "ann", PASSWORD, "1", "L", "Ben", PASSWORD, "3", "ann", "hi", "Q")
    assert words.index("you are ann") < words.index("you are ben")
    [message] = booth.deliver(booth.log_in("ann", PASSWORD).token).messages
    assert message.sender == "ben"


@pytest.mark.parametrize("typed", [(), ("1",), ("1", "s"), ("1", "s", "ann"), ("3", "ann"), ("5",)])
def test_the_end_of_input_ends_it(desk: Desk, typed: tuple[str, ...]) -> None:
    sign_up(desk.context(), "ann")
    through_menu(desk, *typed)
    assert desk.context().sessions.usernames() == ["ann"]


def test_an_error_is_shown_and_the_menu_continues(desk: Desk) -> None:
    words = through_menu(
        desk,
        *("4", "2", "3", "5"),
        *("1", "l", "nobody", PASSWORD),
        *("1", "s", "a b"),
        *("1", "x"),
        *("1", "s", "ann", "short"),
        *("1", "s", "ann", PASSWORD),
        *("2", "a("),
        *("3", "nobody", "hi"),
        *("3", "ann", ""),
        *("5", "ann", "wrong"),
        *("5", "no"),
        "7",
        "",
        "2",
        "",
        "Q",
    )
    assert desk.printed() == ["ann"]
    for reason in (
        "Nobody is logged in",
        "The username or the password is wrong",
        "is not a username",
        "Type s to make an account",
        "8 to 1024 bytes",
        "The pattern cannot be used",
        "There is no account named nobody",
        "The text is empty",
        "That is not the account's password",
        "Nothing was deleted",
        "Type one of 1, 2, 3, 4, 5 or Q",
    ):
        assert reason in words


def test_malformed_input_is_shown_and_the_menu_continues(desk: Desk) -> None:
    sign_up(desk.context(), "ann")
    run_menu(desk.context(typed=b"\xff\n3\nann\n\xff\n2\n\nQ\n"))
    assert desk.said().count("not UTF-8") == 2
    assert desk.printed() == ["ann"]


def test_a_server_that_is_away_is_reported_and_the_menu_continues(desk: Desk) -> None:
    sign_up(desk.context(), "ann")

    def away(_action: str) -> None:
        raise ServerUnreachable(SERVER)

    desk.transport.before = away
    words = through_menu(desk, "2", "", "4", "Q")
    assert words.count("chatbooth: No connection") == 2


def test_with_several_sessions_the_menu_asks_which_account_acts(desk: Desk, booth: Booth) -> None:
    for username in ("ann", "ben"):
        sign_up(desk.context(), username)
    words = through_menu(desk, "7", "3", "Ben", "ann", "tea", "3", "ann", "milk", "Q")
    assert words.count("Which account acts: ann, ben?") == 1
    assert words.index("ann, ben are logged in") < words.index("you are ben")
    messages = booth.deliver(booth.log_in("ann", PASSWORD).token).messages
    assert [(message.sender, message.text) for message in messages] == [("ben", "tea"), ("ben", "milk")]
    assert "you are ben" in through_menu(desk, "Q", as_user="ben")


@pytest.mark.parametrize("choice", ["2", "3", "4", "5"])
def test_an_answer_that_names_none_of_them_does_nothing(desk: Desk, choice: str) -> None:
    for username in ("ann", "ben"):
        sign_up(desk.context(), username)
    desk.said()
    words = through_menu(desk, choice, "bem", choice, "", "Q")
    assert "bem is not logged in to 127.0.0.1:50051 here. Did you mean ben?" in words
    assert "is not a username" in words
    assert desk.printed() == []
    assert desk.context().sessions.usernames() == ["ann", "ben"]
