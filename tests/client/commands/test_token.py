"""token: it makes a token and hands it over once, prints the tokens, and revokes one."""

from __future__ import annotations

import io
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import (
    NotPermitted,
    RecipientNotFound,
    ServerUnreachable,
    SessionInvalid,
    TokenNameTaken,
)
from chatbooth_grpc.booth.tokens import TokenLimits
from chatbooth_grpc.client.commands.arguments import parse
from chatbooth_grpc.client.commands.table import WITH_TOKENS
from chatbooth_grpc.client.commands.tasks.context import Context
from chatbooth_grpc.client.commands.tasks.session_words import limits_words
from chatbooth_grpc.client.failures.outcomes import OutcomeUnknown
from chatbooth_grpc.client.failures.token_failures import TokenEnded, TokenNotFound
from chatbooth_grpc.client.state.token_sessions import TokenSessions
from tests.client.booths import PASSWORD, SERVER, Desk, failing
from tests.client.commands.lines import run_line
from tests.client.state.test_token_sessions import write_token


def with_token(desk: Desk, path: Path, *, as_json: bool = False) -> Context:
    """Return a context that acts with the token in a file."""
    return replace(desk.context(as_json=as_json), sessions=TokenSessions(desk.state, SERVER, path))


@pytest.fixture
def ann(desk: Desk, booth: Booth) -> Desk:
    """Ann's place, where she is logged in. Ben has an account too."""
    booth.sign_up("ben", PASSWORD)
    run_line(desk.context(), "signup ann")
    desk.printed()
    desk.said()
    return desk


def test_a_token_is_printed_once_and_works(ann: Desk, tmp_path: Path) -> None:
    run_line(ann.context(), "token create alerts --send-to BEN --expires 90d")
    [text] = ann.printed()
    assert len(bytes.fromhex(text)) == 16
    words = ann.said()
    assert "The token alerts (id " in words
    assert text not in words
    run_line(with_token(ann, write_token(tmp_path, text)), "send ben tea?")
    with pytest.raises(NotPermitted):
        run_line(with_token(ann, tmp_path / "token"), "send ann tea?")
    with pytest.raises(NotPermitted):
        run_line(with_token(ann, tmp_path / "token"), "deliver")
    ann.printed()
    run_line(ann.context(), "token list")
    [line] = ann.printed()
    assert " alerts (token: sends to ben): since" in line
    assert ", expires " in line
    assert text not in line


def test_a_token_is_an_object_for_a_program(ann: Desk) -> None:
    run_line(ann.context(as_json=True), "token create backup --read")
    [made] = ann.records()
    assert made.keys() == {"session_id", "label", "expire_time", "token"}
    run_line(ann.context(as_json=True), "token list")
    [listed] = ann.records()
    assert (listed["kind"], listed["may_read"], listed["may_send"]) == ("TOKEN", True, False)
    assert (listed["session_id"], listed["expire_time"]) == (made["session_id"], None)
    run_line(ann.context(as_json=True), "sessions")
    assert [record["kind"] for record in ann.records()] == ["PERSON", "TOKEN"]


def test_a_token_goes_to_a_new_file_of_its_owner(ann: Desk, tmp_path: Path) -> None:
    path = tmp_path / "bot.token"
    run_line(ann.context(), f"token create bot --read --send-to-anyone --output {path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text().strip()
    assert text not in "".join(ann.printed()) + ann.said()
    run_line(with_token(ann, path), "send ann hello")
    run_line(with_token(ann, path), "deliver")
    assert "hello" in "".join(ann.printed())
    with pytest.raises(FileExistsError):
        run_line(ann.context(), f"token create other --read --output {path}")
    assert path.read_text().strip() == text
    ann.printed()
    run_line(ann.context(), "token list")
    assert len(ann.printed()) == 1


def test_no_file_stays_of_a_token_that_was_not_made(ann: Desk, tmp_path: Path) -> None:
    path = tmp_path / "bot.token"
    with pytest.raises(RecipientNotFound, match="Perhaps you mean ben"):
        run_line(ann.context(), f"token create bot --send-to bem --output {path}")
    run_line(ann.context(), "token create bot --read")
    with pytest.raises(TokenNameTaken):
        run_line(ann.context(), f"token create bot --read --output {path}")
    ann.transport.before = failing("create_token", ServerUnreachable(SERVER))
    with pytest.raises(OutcomeUnknown, match="token revoke other"):
        run_line(ann.context(), f"token create other --read --output {path}")
    assert not path.exists()


def test_a_token_that_could_not_be_printed_is_revoked(ann: Desk) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        run_line(ann.context(out=Full()), "token create bot --read")
    run_line(ann.context(), "token list")
    assert ann.printed() == []
    assert "no tokens" in ann.said()


@pytest.mark.parametrize("by_name", [True, False])
def test_a_token_is_revoked_by_its_name_or_its_id(ann: Desk, tmp_path: Path, by_name: bool) -> None:
    run_line(ann.context(as_json=True), "token create bot --read")
    [made] = ann.records()
    path = write_token(tmp_path, made["token"])
    run_line(with_token(ann, path), "deliver")
    run_line(ann.context(), f"token revoke {'bot' if by_name else made['session_id']}")
    with pytest.raises(TokenEnded):
        run_line(with_token(ann, path), "deliver")
    for word in ("bot", str(made["session_id"]), "1"):
        with pytest.raises(TokenNotFound):
            run_line(ann.context(), f"token revoke {word}")


def test_a_name_of_digits_goes_before_an_id(ann: Desk, booth: Booth) -> None:
    session = ann.context().pick().session
    first = booth.create_token(session.token, b"\x05" * 16, "bot", TokenLimits(may_read=True))
    booth.create_token(session.token, b"\x06" * 16, str(first.session_id), TokenLimits(may_read=True))
    run_line(ann.context(), f"token revoke {first.session_id}")
    booth.deliver(b"\x05" * 16)
    with pytest.raises(SessionInvalid):
        booth.deliver(b"\x06" * 16)


@pytest.mark.parametrize(
    "line",
    [
        *("token", "token make bot --read", "token create --read", "token create bot"),
        *("token list bot", "token list --read", "token revoke", "token revoke bot --read"),
        "token create bot --send-to ben --send-to-anyone",
        *(f"token create bot --read --expires {time}" for time in ("x", "0", "-1d", "0.5s", "40000d", "9" * 400)),
        "token create bot --read --output FILE extra",
    ],
)
def test_words_that_do_not_belong_together_are_refused(ann: Desk, line: str) -> None:
    with pytest.raises(SystemExit) as exited:
        run_line(ann.context(), line)
    assert exited.value.code == 2


def test_limits_are_put_in_words() -> None:
    assert limits_words(TokenLimits(may_read=True, may_send=True)) == "reads and sends to anyone"
    assert limits_words(TokenLimits(may_send=True, recipient_id=5)) == "sends to a deleted account"
    assert limits_words(TokenLimits()) == "may do nothing that this client knows"


@pytest.mark.parametrize(
    "line", ["whoami", "list", "sessions", "token list", "logout", "login ann", "send --queue ben x", ""]
)
def test_only_some_commands_take_a_token(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_token(tmp_path, "05" * 16)
    for words in (["--token-file", str(path), *line.split()], line.split()):
        with pytest.raises(SystemExit) as exited:
            parse(words)
        assert exited.value.code == 2
        # The second time, the variable stands in for the flag.
        monkeypatch.setenv("CHATBOOTH_TOKEN_FILE", str(path))


def test_the_commands_that_take_a_token_say_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_token(tmp_path, "05" * 16)
    monkeypatch.setenv("CHATBOOTH_TOKEN_FILE", str(path))
    for name in WITH_TOKENS:
        assert parse([name, *(["ben", "x"] if name == "send" else [])]).token_file == str(path)
    with pytest.raises(SystemExit):
        parse(["--token-file", str(tmp_path / "missing"), "deliver"])
