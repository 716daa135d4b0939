"""signup: it makes an account once, and saves its session."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbooth_grpc.booth.administration import Administration
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    InvalidPassword,
    InvalidUsername,
    InviteRefused,
    InviteRequired,
    UsernameTaken,
)
from chatbooth_grpc.booth.model import Limits, SignUpPolicy
from chatbooth_grpc.client.commands.login import log_in
from chatbooth_grpc.client.commands.signup import sign_up
from chatbooth_grpc.client.failures.command_failure import Misuse
from chatbooth_grpc.client.terminal.prompts import Prompts
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.booth.cheap_passwords import cheap_passwords
from tests.client.booths import PASSWORD, SERVER, BoothTransport, Desk
from tests.client.commands.lines import run_line


def test_signing_up_saves_the_session(desk: Desk, booth: Booth) -> None:
    sign_up(desk.context(), "Ann")
    assert desk.said() == f"Signed up as ann on {SERVER}.\n"
    assert desk.printed() == []
    saved = desk.context().pick()
    assert saved.username == "ann"
    booth.acknowledge(saved.session.token, 0)


def test_json_never_holds_the_token(desk: Desk) -> None:
    sign_up(desk.context(as_json=True), "ann")
    token = desk.context().pick().session.token
    assert desk.records() == [{"username": "ann", "account_id": 1, "server": SERVER}]
    assert desk.said() == ""
    log_in(desk.context(as_json=True), "ann")
    assert token.hex() not in repr(desk.records())


@pytest.fixture
def invited(store: SQLiteStore, tmp_path: Path) -> Desk:
    """A desk for a booth that takes an account only with an invite."""
    booth = Booth(store, limits=Limits(sign_up=SignUpPolicy.INVITE), passwords=cheap_passwords())
    return Desk(BoothTransport(booth), tmp_path / "state" / "chatbooth")


def new_code(store: SQLiteStore) -> str:
    """Return the code of a new invite."""
    code, _ = Administration(store.administration, passwords=cheap_passwords()).create_invite()
    return code


def test_a_code_comes_from_the_flag_or_the_environment(invited: Desk, store: SQLiteStore) -> None:
    run_line(invited.context(), f"signup ann --invite {new_code(store)}")
    environment = {"CHATBOOTH_PASSWORD": PASSWORD, "CHATBOOTH_INVITE": f"{new_code(store)}\n"}
    run_line(invited.context(environment=environment), "signup bob")
    # The code in the environment is used up now. The flag counts.
    run_line(invited.context(environment=environment), f"signup carol --invite {new_code(store)}")
    assert invited.context().sessions.usernames() == ["ann", "bob", "carol"]


def test_a_code_is_read_after_the_password(invited: Desk, store: SQLiteStore) -> None:
    typed = f"{PASSWORD}\n{new_code(store)}\n"
    run_line(invited.context(typed=typed, from_stdin=True), "signup ann --password-stdin --invite -")
    run_line(invited.context(typed=f"{new_code(store)}\n"), "signup bob --invite -")
    assert invited.context().sessions.usernames() == ["ann", "bob"]
    for typed in ("", "\n"):
        with pytest.raises(Misuse, match="an invite code"):
            run_line(invited.context(typed=typed), "signup carol --invite -")


def test_without_a_terminal_nobody_is_asked_for_a_code(invited: Desk) -> None:
    called: list[str] = []
    invited.transport.before = called.append
    with pytest.raises(InviteRequired):
        run_line(invited.context(), "signup ann")
    assert called == ["sign_up"]


def test_a_person_is_asked_for_a_code_that_the_server_wants(
    invited: Desk, desk: Desk, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = [new_code(store), "a typo", "", None]
    asked: list[str] = []

    def at_terminal(_prompts: Prompts, question: str) -> str | None:
        asked.append(question)
        return answers.pop(0)

    monkeypatch.setattr(Prompts, "at_terminal", at_terminal)
    sign_up(invited.context(), "ann")
    for error in (InviteRefused, InviteRequired, InviteRequired):
        with pytest.raises(error):
            sign_up(invited.context(), "bob")
    assert asked == ["Invite code: "] * 4
    # A server that wants none lets nobody ask.
    sign_up(desk.context(), "bob")
    assert asked == ["Invite code: "] * 4


@pytest.mark.parametrize(
    ("username", "password", "error"),
    [("a b", PASSWORD, InvalidUsername), ("ben", "short", InvalidPassword), ("ann", PASSWORD, UsernameTaken)],
)
def test_a_refused_sign_up_saves_nothing(desk: Desk, username: str, password: str, error: type[ChatboothError]) -> None:
    sign_up(desk.context(), "ann")
    with pytest.raises(error):
        sign_up(desk.context(environment={"CHATBOOTH_PASSWORD": password}), username)
    assert desk.context().sessions.usernames() == ["ann"]
