"""A session and a sequence that a program keeps: private, for one account, safe to stop."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatbooth_grpc.booth.actions import AcknowledgeRequest, DeliverRequest
from chatbooth_grpc.booth.errors import ServerUnreachable, SessionInvalid, WrongCredentials
from chatbooth_grpc.client.library import chat_client
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.state.kept_session import KeptSession
from tests.client.scripted import EPOCH, SESSION, ScriptedTransport, delivery

SERVER = "127.0.0.1:50051"
OTHER = replace(SESSION, token=b"o" * 16)
OTHER_EPOCH = bytes(reversed(EPOCH))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bot.state"


def kept(path: Path) -> KeptSession:
    return KeptSession(path, SERVER, "ann")


def reopened(one: KeptSession, path: Path) -> KeptSession:
    one.close()
    return kept(path)


def test_a_session_and_a_sequence_are_found_again(path: Path) -> None:
    one = kept(path)
    assert (one.session, one.place) == (None, (None, None))
    one.keep(SESSION)
    one = reopened(one, path)
    assert (one.session, one.place) == (SESSION, (None, EPOCH))
    one.keep_place(EPOCH, 9)
    one = reopened(one, path)
    assert (one.session, one.place) == (SESSION, (9, EPOCH))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("session", "place"),
    [
        (OTHER, (9, EPOCH)),
        (replace(OTHER, epoch=OTHER_EPOCH), (None, OTHER_EPOCH)),
        (replace(OTHER, account_id=8), (None, EPOCH)),
    ],
)
def test_a_new_session_keeps_the_sequence_if_it_is_of_the_same_epoch(
    path: Path, session: object, place: object
) -> None:
    one = kept(path)
    one.keep(SESSION)
    one.keep_place(EPOCH, 9)
    one.keep(session)  # type: ignore[arg-type]
    assert reopened(one, path).place == place


def test_a_sequence_of_another_epoch_replaces_a_higher_one(path: Path) -> None:
    one = kept(path)
    one.keep(SESSION)
    for epoch, through in ((EPOCH, 9), (OTHER_EPOCH, 0), (OTHER_EPOCH, 4)):
        one.keep_place(epoch, through)
        one = reopened(one, path)
        assert one.place == (through or None, epoch)


def test_a_link_stays_a_link_and_a_relative_path_begins_at_the_first_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container's folder is made anew at each start, except a volume in it."""
    (tmp_path / "volume").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "bot.state").symlink_to(tmp_path / "volume" / "kept")
    monkeypatch.chdir(tmp_path / "folder")
    one = kept(Path("bot.state"))
    monkeypatch.chdir(tmp_path)
    one.keep(SESSION)
    one.close()
    assert (tmp_path / "folder" / "bot.state").is_symlink()
    one = kept(tmp_path / "volume" / "kept")
    assert one.session == SESSION
    one.close()


def test_a_file_that_others_can_read_becomes_private(path: Path) -> None:
    one = kept(path)
    one.keep(SESSION)
    path.chmod(0o644)
    reopened(one, path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_one_program_at_a_time_has_the_file(path: Path) -> None:
    first = kept(path)
    with pytest.raises(OSError, match="another program uses this state"):
        kept(path)
    first.close()
    kept(path).close()


def test_a_malformed_file_or_one_of_another_account_is_refused_and_kept(path: Path) -> None:
    path.write_text("{}")
    for _ in range(2):  # the lock is let go
        with pytest.raises(ValueError, match=r"bot\.state is damaged"):
            kept(path)
    path.unlink()
    one = kept(path)
    one.keep(SESSION)
    one.close()
    before = path.read_bytes()
    for server, username in (("127.0.0.1:50052", "ann"), (SERVER, "ben")):
        with pytest.raises(ValueError, match=f"is the state of ann on {SERVER}"):
            KeptSession(path, server, username)
    assert path.read_bytes() == before


def test_this_machine_is_one_server_by_every_name(path: Path) -> None:
    one = kept(path)
    one.keep(SESSION)
    one.close()
    for host in ("localhost", "[::1]"):
        other = KeptSession(path, f"{host}:{SERVER.rpartition(':')[2]}", "ann")
        assert other.session == SESSION
        other.close()


def test_the_token_to_log_in_with_stays_the_same_until_a_session_is_kept(path: Path) -> None:
    one = kept(path)
    token = one.log_in_token()
    assert len(token) == len(SESSION.token)
    one = reopened(one, path)
    assert (one.session, one.log_in_token()) == (None, token)
    one.keep(replace(SESSION, token=token))
    one.keep_place(EPOCH, 9)
    one = reopened(one, path)
    assert one.session == replace(SESSION, token=token)
    assert one.log_in_token() != token
    one = reopened(one, path)
    assert one.session is None
    one.keep(OTHER)
    assert one.place == (9, EPOCH)
    one.close()


# Resuming


def resumed(
    monkeypatch: pytest.MonkeyPatch, path: Path, *outcomes: object, timeout: float = 0.01, keep: Any = KeptSession.keep
) -> tuple[ChatClient, ScriptedTransport]:
    """Return a client that resumes over a scripted transport."""
    transport = ScriptedTransport()
    transport.script.extend(outcomes)
    monkeypatch.setattr(chat_client, "open_transport", lambda *_: transport)
    monkeypatch.setattr(KeptSession, "keep", keep)
    return ChatClient.resume(SERVER, "Ann", "a long password", state=path, timeout=timeout), transport


def killed(*_: object) -> None:
    """Stand for a kill between the log-in and the note of it."""
    raise KeyboardInterrupt


def actions(transport: ScriptedTransport) -> list[str]:
    return [call.action for call in transport.calls]


def test_the_first_run_logs_in_and_the_next_one_resumes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, transport = resumed(monkeypatch, path, SESSION)
    assert (client.session, actions(transport)) == (SESSION, ["log_in"])
    client.close()
    client, transport = resumed(monkeypatch, path, None)
    assert (client.session, actions(transport)) == (SESSION, ["acknowledge"])
    assert transport.calls[0].arguments == (SESSION.token, AcknowledgeRequest(0))
    client.close()


def test_an_ended_session_is_replaced_and_the_sequence_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = resumed(monkeypatch, path, SESSION)
    client.close()
    one = kept(path)
    one.keep_place(EPOCH, 9)
    one.close()
    client, transport = resumed(monkeypatch, path, SessionInvalid(), OTHER)
    assert (client.session, actions(transport)) == (OTHER, ["acknowledge", "log_in"])
    client.close()
    one = kept(path)
    assert (one.session, one.place) == (OTHER, (9, EPOCH))
    one.close()


def test_a_log_in_whose_reply_was_lost_is_repeated_with_its_token(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(KeyboardInterrupt):
        resumed(monkeypatch, path, SESSION, keep=killed)
    one = kept(path)
    token = one.log_in_token()
    one.close()
    lost = ServerUnreachable(SERVER)
    client, transport = resumed(monkeypatch, path, lost, SESSION, timeout=5.0)
    assert actions(transport) == ["log_in", "log_in"]
    assert [call.arguments[1].token for call in transport.calls] == [token, token]
    client.close()


@pytest.mark.parametrize("failure", [WrongCredentials(), ServerUnreachable(SERVER)])
def test_a_start_that_fails_releases_the_file(path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    with pytest.raises(type(failure)):
        resumed(monkeypatch, path, *[failure] * 9)  # tried again for as long as there is time
    client, _ = resumed(monkeypatch, path, SESSION)
    client.close()


def test_a_server_that_is_away_does_not_end_the_session(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = resumed(monkeypatch, path, SESSION)
    client.close()
    with pytest.raises(ServerUnreachable):
        resumed(monkeypatch, path, *[ServerUnreachable(SERVER)] * 9)
    client, transport = resumed(monkeypatch, path, None)
    assert (client.session, actions(transport)) == (SESSION, ["acknowledge"])
    client.close()


def test_listening_starts_at_the_kept_sequence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = resumed(monkeypatch, path, SESSION)
    client.close()
    one = kept(path)
    one.keep_place(EPOCH, 9)
    one.close()
    client, _ = resumed(monkeypatch, path, None)
    stream = client.listen()
    assert (stream._after, stream._history.epoch) == (9, EPOCH)
    assert client.listen(after=3)._after == 3
    client.session = OTHER
    assert client.listen()._after is None
    client.close()


def test_messages_start_at_the_kept_sequence_and_keep_the_new_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = resumed(monkeypatch, path, SESSION)
    client.close()
    one = kept(path)
    one.keep_place(EPOCH, 9)
    one.close()
    client, transport = resumed(monkeypatch, path, None, delivery(10, 11, more=True), delivery(12), None)
    assert [message.sequence for message in client.messages()] == [10, 11, 12]
    client.close()
    assert [call.arguments[1] for call in transport.calls[1:]] == [
        DeliverRequest(0, 9, 0, EPOCH),
        DeliverRequest(11, 11, 0, EPOCH),
        AcknowledgeRequest(12, EPOCH),
    ]
    one = kept(path)
    assert one.place == (12, EPOCH)
    one.close()


def test_messages_are_not_acknowledged_if_their_sequence_cannot_be_kept(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    client, transport = resumed(monkeypatch, path, SESSION, delivery(1, more=True))
    monkeypatch.setattr(KeptSession, "keep_place", fail)
    inbox = client.messages()
    assert next(inbox).sequence == 1
    with pytest.raises(OSError, match="the disk is full"):
        next(inbox)
    assert actions(transport) == ["log_in", "deliver"]
    client.close()


def test_after_a_restore_the_kept_sequence_is_replaced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = resumed(monkeypatch, path, SESSION)
    client.close()
    one = kept(path)
    one.keep_place(EPOCH, 9)
    one.close()
    elsewhere = delivery(4, epoch=OTHER_EPOCH)
    client, _ = resumed(monkeypatch, path, None, elsewhere, elsewhere)
    inbox = client.messages()
    assert next(inbox).sequence == 4
    client.close()
    one = kept(path)
    assert one.place == (None, OTHER_EPOCH)
    one.close()


def test_a_restore_is_reported_to_a_program_that_had_taken_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = resumed(monkeypatch, path, SESSION)
    client.close()
    elsewhere = delivery(1, epoch=OTHER_EPOCH)
    client, _ = resumed(monkeypatch, path, None, elsewhere, elsewhere)
    inbox = client.messages()
    assert next(inbox).sequence == 1
    assert [restored.epoch for restored in inbox.restored] == [OTHER_EPOCH]
    client.close()
