"""The commands over a real booth: what they do, say, keep and forget."""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    DeadlineExceeded,
    InvalidPassword,
    InvalidUsername,
    RecipientNotFound,
    ServerUnreachable,
    SessionInvalid,
    TooBusy,
    UsernameTaken,
    WrongCredentials,
    WrongPassword,
)
from chatbooth_grpc.client.commands import commands
from chatbooth_grpc.client.commands.context import Context
from chatbooth_grpc.client.failures.failures import (
    Misuse,
    NotLoggedIn,
    OutcomeUnknown,
    SessionEnded,
    SessionNotKept,
    Unprinted,
    exit_code,
)
from chatbooth_grpc.client.failures.interrupts import Interrupted
from tests.client.booths import PASSWORD, SERVER, Desk


def failing(action: str, error: ChatboothError, times: int = 1_000) -> Callable[[str], None]:
    """What a transport does before a call: it fails so many calls of an action."""
    left = [error] * times

    def before(called: str) -> None:
        if called == action and left:
            raise left.pop()

    return before


def test_signing_up_keeps_the_session(desk: Desk, booth: Booth) -> None:
    commands.sign_up(desk.context(), "Ann")
    assert desk.said() == f"Signed up as ann on {SERVER}.\n"
    assert desk.printed() == []
    saved = desk.context().pick()
    assert saved.username == "ann"
    booth.acknowledge(saved.session.token, 0)


def test_json_never_holds_the_token(desk: Desk) -> None:
    commands.sign_up(desk.context(as_json=True), "ann")
    token = desk.context().pick().session.token
    assert desk.records() == [{"username": "ann", "account_id": 1, "server": SERVER}]
    assert desk.said() == ""
    commands.log_in(desk.context(as_json=True), "ann")
    assert token.hex() not in repr(desk.records())


@pytest.mark.parametrize(
    ("username", "password", "error"),
    [("a b", PASSWORD, InvalidUsername), ("ben", "short", InvalidPassword), ("ann", PASSWORD, UsernameTaken)],
)
def test_a_refused_sign_up_keeps_nothing(desk: Desk, username: str, password: str, error: type[ChatboothError]) -> None:
    commands.sign_up(desk.context(), "ann")
    with pytest.raises(error):
        commands.sign_up(desk.context(environment={"CHATBOOTH_PASSWORD": password}), username)
    assert desk.context().sessions.usernames() == ["ann"]


def test_logging_in_again_replaces_the_session_and_ends_the_old_one(desk: Desk, booth: Booth) -> None:
    commands.sign_up(desk.context(), "ann")
    old = desk.context().pick()
    context = desk.context()
    context.sessions.save(type(old)(old.server, old.session, shown_through=7))
    commands.log_in(desk.context(), "ann")
    new = desk.context().pick()
    booth.acknowledge(new.session.token, 0)
    with pytest.raises(SessionInvalid):
        booth.acknowledge(old.session.token, 0)
    assert new.shown_through == 7


def test_a_refused_log_in_keeps_the_old_session(desk: Desk, booth: Booth) -> None:
    commands.sign_up(desk.context(), "ann")
    with pytest.raises(WrongCredentials):
        commands.log_in(desk.context(environment={"CHATBOOTH_PASSWORD": "wrong"}), "ann")
    booth.acknowledge(desk.context().pick().session.token, 0)


def test_a_session_that_cannot_be_kept_is_ended(desk: Desk, booth: Booth) -> None:
    booth.sign_up("ann", PASSWORD)
    desk.state.parent.mkdir(parents=True)
    desk.state.write_text("in the way")
    called: list[str] = []
    desk.transport.before = called.append
    with pytest.raises(SessionNotKept, match=r"Logged in as ann .* cannot be kept here .* Not a directory"):
        commands.log_in(desk.context(), "ann")
    with pytest.raises(SessionNotKept, match=r"Signed up as ben .* type: .* login ben") as caught:
        commands.sign_up(desk.context(), "ben")
    assert exit_code(caught.value) == 1
    assert called == ["log_in", "log_out", "sign_up", "log_out"]


def test_a_damaged_file_is_replaced_by_logging_in(desk: Desk) -> None:
    commands.sign_up(desk.context(), "ann")
    desk.context().sessions.path("ann").write_bytes(b"{")
    commands.log_in(desk.context(), "ann")
    assert desk.context().pick().username == "ann"


def test_logging_out_ends_and_forgets_the_session(desk: Desk, booth: Booth) -> None:
    commands.sign_up(desk.context(), "ann")
    token = desk.context().pick().session.token
    commands.log_out(desk.context())
    with pytest.raises(SessionInvalid):
        booth.acknowledge(token, 0)
    with pytest.raises(NotLoggedIn):
        commands.log_out(desk.context())


def test_logging_out_forgets_a_session_that_has_ended(desk: Desk, booth: Booth) -> None:
    commands.sign_up(desk.context(), "ann")
    booth.log_out(desk.context().pick().session.token)
    commands.log_out(desk.context())
    assert desk.context().sessions.usernames() == []


def test_logging_out_of_a_server_that_is_away_keeps_the_session(desk: Desk) -> None:
    commands.sign_up(desk.context(), "ann")
    desk.transport.before = failing("log_out", ServerUnreachable(SERVER))
    with pytest.raises(ServerUnreachable):
        commands.log_out(desk.context())
    assert desk.context().sessions.usernames() == ["ann"]


def test_whoami_says_who_if_the_session_lives(desk: Desk) -> None:
    commands.sign_up(desk.context(), "ann")
    desk.said()
    commands.who_am_i(desk.context())
    commands.who_am_i(desk.context(as_json=True))
    assert desk.printed() == ["ann", '{"username": "ann", "account_id": 1, "server": "127.0.0.1:50051"}']


def test_a_session_that_has_ended_is_forgotten_and_says_what_to_type(desk: Desk, booth: Booth) -> None:
    for command in (
        commands.who_am_i,
        lambda context: commands.list_accounts(context, "", ""),
        lambda context: commands.send(context, "ann", "tea?"),
        commands.change_password,
        lambda context: commands.delete(context, confirmed=True),
    ):
        commands.log_in(desk.context(), "ann") if booth_has(booth) else commands.sign_up(desk.context(), "ann")
        booth.log_out(desk.context().pick().session.token)
        with pytest.raises(SessionEnded, match="login ann") as ended:
            command(desk.context(environment={"CHATBOOTH_PASSWORD": PASSWORD, "CHATBOOTH_NEW_PASSWORD": PASSWORD}))
        assert exit_code(ended.value) == 3
        assert desk.context().sessions.usernames() == []


def booth_has(booth: Booth) -> bool:
    """Whether ann has signed up."""
    try:
        booth.log_in("ann", PASSWORD)
    except WrongCredentials:
        return False
    return True


def test_changing_the_password_ends_other_sessions(desk: Desk, booth: Booth) -> None:
    commands.sign_up(desk.context(), "ann")
    booth.log_in("ann", PASSWORD)
    both = {"CHATBOOTH_PASSWORD": PASSWORD, "CHATBOOTH_NEW_PASSWORD": "a newer password"}
    commands.change_password(desk.context(environment=both, as_json=True))
    assert desk.records()[-1] == {"username": "ann", "sessions_ended": 1}
    booth.log_in("ann", "a newer password")
    with pytest.raises(WrongPassword):
        commands.change_password(desk.context(environment=both))
    assert desk.context().sessions.usernames() == ["ann"]


def test_accounts_are_listed_one_a_line(desk: Desk) -> None:
    for username in ("ann", "ben", "anton"):
        commands.sign_up(desk.context(), username)
    desk.said()
    commands.list_accounts(desk.context("ann"), "^AN", "")
    assert desk.printed() == ["ann", "anton"]
    commands.list_accounts(desk.context("ann", as_json=True), "", "b")
    assert desk.records() == [{"username": "ben"}]
    assert desk.said() == ""
    commands.list_accounts(desk.context("ann"), "nobody", "")
    assert (desk.printed(), desk.said()) == ([], "No username matches.\n")


def test_sending_says_to_whom_and_when(desk: Desk, booth: Booth) -> None:
    commands.sign_up(desk.context(), "ann")
    desk.said()
    commands.send(desk.context(), "Ann", "tea?", b"i" * 16)
    assert desk.said().startswith("Sent to ann, accepted at 20")
    commands.send(desk.context(as_json=True), "Ann", "tea?", b"i" * 16)
    [record] = desk.records()
    assert record["recipient"] == "ann"
    assert record["message_id"] == "69" * 16
    [message] = booth.deliver(desk.context().pick().session.token).messages
    assert message.text == "tea?"


def test_a_passing_failure_is_told_once_and_the_message_stored_once(desk: Desk, booth: Booth) -> None:
    commands.sign_up(desk.context(), "ann")
    desk.said()
    desk.transport.before = failing("send", ServerUnreachable(SERVER), times=3)
    commands.send(desk.context(), "ann", "tea?")
    assert desk.said().count("Trying again") == 1
    assert len(booth.deliver(desk.context().pick().session.token).messages) == 1


@pytest.mark.parametrize("error", [ServerUnreachable(SERVER), DeadlineExceeded()])
@pytest.mark.parametrize("text", ["it's\u00a0tea", "-tea", "two\nlines", "x" * 1_000, "\x1b[31m"])
def test_an_unknown_outcome_says_how_to_repeat_it(desk: Desk, error: ChatboothError, text: str) -> None:
    commands.sign_up(desk.context(), "ann")
    desk.transport.before = failing("send", error)
    with pytest.raises(OutcomeUnknown) as unknown:
        commands.send(desk.context(), "ben", text, b"i" * 16)
    assert unknown.value.reason == error.reason
    assert exit_code(unknown.value) == 4
    assert unknown.value.details()["message_id"] == "69" * 16
    words = shlex.split(unknown.value.details()["command"])
    assert words[3:] == ["--as", "ann", "send", "--message-id", "69" * 16, "ben", *words[9:]]
    if text in {"it's\u00a0tea", "-tea"}:
        assert words[9:] == ["--", text]
    else:
        assert words[9] == "-"
        assert "standard input" in str(unknown.value)


@pytest.mark.parametrize("error", [TooBusy("calls"), RecipientNotFound("ben")])
def test_a_known_outcome_gives_no_such_advice(desk: Desk, error: ChatboothError) -> None:
    commands.sign_up(desk.context(), "ann")
    desk.transport.before = failing("send", error)
    with pytest.raises(type(error)):
        commands.send(desk.context(), "ben", "tea?")


def test_deleting_forgets_the_session(desk: Desk, booth: Booth) -> None:
    commands.sign_up(desk.context(), "ann")
    commands.send(desk.context(), "ann", "tea?")
    commands.delete(desk.context(as_json=True), confirmed=True)
    assert desk.records()[-1] == {"username": "ann", "messages_removed": 1, "sessions_ended": 1}
    assert desk.context().sessions.usernames() == []
    with pytest.raises(WrongCredentials):
        booth.log_in("ann", PASSWORD)


def test_deleting_without_a_terminal_needs_to_be_meant(desk: Desk, booth: Booth) -> None:
    commands.sign_up(desk.context(), "ann")
    with pytest.raises(Misuse, match="--yes"):
        commands.delete(desk.context(typed="y\n"))
    booth.log_in("ann", PASSWORD)


def test_a_wrong_password_deletes_nothing(desk: Desk, booth: Booth) -> None:
    commands.sign_up(desk.context(), "ann")
    with pytest.raises(WrongPassword):
        commands.delete(desk.context(environment={"CHATBOOTH_PASSWORD": "wrong"}), confirmed=True)
    booth.acknowledge(desk.context().pick().session.token, 0)


def test_a_server_cannot_choose_the_file(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name in a session comes from the server; it must not lead out of the directory."""
    session = desk.transport.sign_up("ann", PASSWORD, timeout=1)
    hostile = type(session)(session.token, 1, "../../../evil", session.epoch)
    monkeypatch.setattr(desk.transport, "log_in", lambda *_, timeout: hostile)
    with pytest.raises(InvalidUsername):
        commands.log_in(desk.context(), "ann")
    assert list(tmp_path.rglob("*evil*")) == []


@pytest.mark.parametrize(
    ("action", "command", "words"),
    [
        ("sign_up", lambda context: commands.sign_up(context, "ben"), "account was made is not known.* login ben"),
        ("change_password", commands.change_password, "password was changed is not known.* login ann"),
        ("send", lambda context: commands.send(context, "ann", "tea?"), "stored is not known; .* send --message-id"),
        ("delete", lambda context: commands.delete(context, confirmed=True), "ann was deleted is not known.* whoami"),
    ],
)
@pytest.mark.parametrize("cause", [ServerUnreachable(SERVER), DeadlineExceeded(), Interrupted(15)])
def test_what_stays_open_is_said(
    desk: Desk, action: str, command: Callable[[Context], None], words: str, cause: Exception | Interrupted
) -> None:
    commands.sign_up(desk.context(), "ann")

    def before(called: str) -> None:
        if called in (action, "log_in"):
            raise cause

    desk.transport.before = before
    both = {"CHATBOOTH_PASSWORD": PASSWORD, "CHATBOOTH_NEW_PASSWORD": "a newer password"}
    with pytest.raises((OutcomeUnknown, Interrupted)) as raised:
        command(desk.context("ann", environment=both))
    unknown = raised.value.open_end if isinstance(raised.value, Interrupted) else raised.value
    assert isinstance(unknown, OutcomeUnknown)
    assert re.search(words, str(unknown))
    assert exit_code(unknown) == (143 if isinstance(cause, Interrupted) else 4)


@pytest.mark.parametrize("command", [commands.log_out, lambda context: commands.delete(context, confirmed=True)])
def test_what_ended_is_forgotten_here_even_if_it_cannot_be_said(desk: Desk, command: Callable[[Context], None]) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    commands.sign_up(desk.context(), "ann")
    with pytest.raises(Unprinted):
        command(desk.context(out=Full(), as_json=True))
    assert desk.context().sessions.usernames() == []
