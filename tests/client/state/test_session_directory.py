"""The session files: private, complete, safe with several processes, and picked by rule."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from chatbooth_grpc.booth.errors import InvalidUsername
from chatbooth_grpc.client.failures.command_failure import Misuse
from chatbooth_grpc.client.failures.session_failures import (
    AlreadyReading,
    NotLoggedIn,
    SessionFileDamaged,
    SeveralSessions,
)
from chatbooth_grpc.client.state.session_directory import SessionDirectory, state_directory
from chatbooth_grpc.client.state.session_file import SavedSession
from tests.client.scripted import SESSION, delivery

SERVER = "127.0.0.1:50051"
OPENING = delivery().opening


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / "chatbooth"


@pytest.fixture
def sessions(state: Path) -> SessionDirectory:
    return SessionDirectory(state, SERVER)


def saved(username: str = "ann", token: bytes = SESSION.token, shown_through: int = 0) -> SavedSession:
    return SavedSession(SERVER, replace(SESSION, username=username, token=token), shown_through)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_saved_session_is_loaded(sessions: SessionDirectory) -> None:
    assert sessions.load("ann") is None
    sessions.save(saved(shown_through=9))
    assert sessions.load("ann") == saved(shown_through=9)
    assert sessions.usernames() == ["ann"]


def test_only_the_owner_may_read_the_files(sessions: SessionDirectory, state: Path) -> None:
    before = os.umask(0)
    try:
        sessions.save(saved())
    finally:
        os.umask(before)
    assert mode(sessions.path("ann")) == 0o600
    assert {mode(path) for path in (state, state / "sessions", state / "sessions" / SERVER)} == {0o700}
    assert {mode(path) for path in sessions.path("ann").parent.iterdir()} == {0o600}


def test_directories_that_others_could_read_become_private(sessions: SessionDirectory, state: Path) -> None:
    state.mkdir(parents=True, mode=0o755)
    sessions.save(saved())
    assert mode(state) == 0o700


def test_a_crash_while_writing_leaves_the_old_file(sessions: SessionDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    sessions.save(saved(shown_through=1))

    def crash(*_: object) -> None:
        raise OSError("disk")

    for owner, step in ((os, "fsync"), (Path, "replace")):
        with monkeypatch.context() as patched:
            patched.setattr(owner, step, crash)
            with pytest.raises(OSError, match="disk"):
                sessions.save(saved(shown_through=2))
        assert sessions.load("ann") == saved(shown_through=1)
    sessions.save(saved(shown_through=3))
    assert sessions.load("ann") == saved(shown_through=3)


def test_the_last_shown_sequence_is_noted_and_never_goes_back(sessions: SessionDirectory) -> None:
    sessions.save(saved())
    sessions.note_shown("ann", OPENING, 5)
    sessions.note_shown("ann", OPENING, 3)
    assert sessions.load("ann") == saved(shown_through=5)


def test_noting_a_sequence_keeps_a_newer_session(sessions: SessionDirectory) -> None:
    sessions.save(saved())
    sessions.save(saved(token=b"n" * 16))
    sessions.note_shown("ann", OPENING, 5)
    assert sessions.load("ann") == saved(token=b"n" * 16, shown_through=5)


def test_noting_a_sequence_of_another_account_or_of_none_changes_nothing(sessions: SessionDirectory) -> None:
    sessions.note_shown("ann", OPENING, 5)
    assert sessions.load("ann") is None
    sessions.save(saved())
    sessions.note_shown("ann", replace(OPENING, account_id=99), 5)
    assert sessions.load("ann") == saved()


def test_only_the_given_session_is_removed(sessions: SessionDirectory) -> None:
    sessions.save(saved(token=b"n" * 16))
    sessions.remove(saved())
    assert sessions.load("ann") is not None
    sessions.remove(saved(token=b"n" * 16))
    assert sessions.load("ann") is None
    sessions.remove(saved())


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", saved("ben").encode()])
def test_the_error_of_a_damaged_file_says_where_it_is_and_what_to_do(
    sessions: SessionDirectory, content: bytes
) -> None:
    sessions.save(saved())
    sessions.path("ann").write_bytes(content)
    with pytest.raises(SessionFileDamaged, match=r"ann\.json is damaged.*login ann"):
        sessions.pick("ann")


def test_the_only_session_is_picked(sessions: SessionDirectory) -> None:
    sessions.save(saved())
    assert sessions.pick(None) == saved()


def test_with_several_sessions_one_must_be_named(sessions: SessionDirectory) -> None:
    sessions.save(saved("ann"))
    sessions.save(saved("ben"))
    assert sessions.pick("Ben").username == "ben"
    with pytest.raises(SeveralSessions, match="ann, ben") as several:
        sessions.pick(None)
    assert several.value.exit_code == 2


def test_without_a_session_the_error_says_which_command_to_type(sessions: SessionDirectory) -> None:
    with pytest.raises(NotLoggedIn, match="login USERNAME") as nobody:
        sessions.pick(None)
    assert nobody.value.exit_code == 3
    sessions.save(saved("ann"))
    with pytest.raises(NotLoggedIn, match="login ben"):
        sessions.pick("ben")


@pytest.mark.parametrize("username", ["../ann", "a/b", "", ".lock", "ann\0"])
def test_no_name_leads_out_of_the_directory(sessions: SessionDirectory, username: str) -> None:
    with pytest.raises(InvalidUsername):
        sessions.save(saved(username))


def test_servers_are_kept_apart(state: Path, sessions: SessionDirectory) -> None:
    sessions.save(saved())
    for other in ("127.0.0.1:50052", "wire://127.0.0.1:50051", "127.0.0.2:50051", "h:50051"):
        assert SessionDirectory(state, other).usernames() == []


@pytest.mark.parametrize("name", ["localhost:50051", "[::1]:50051", "localhost.:50051"])
def test_this_machine_is_one_server_by_every_name(state: Path, sessions: SessionDirectory, name: str) -> None:
    other = SessionDirectory(state, name)
    other.save(replace(saved(), server=name))
    assert sessions.pick(None).session == SESSION
    sessions.note_shown("ann", OPENING, 7)
    assert other.pick("ann").shown_through == 7


def test_only_one_process_delivers_at_a_time(sessions: SessionDirectory, state: Path) -> None:
    other = SessionDirectory(state, SERVER)
    with sessions.reading("ann", 0):
        with pytest.raises(AlreadyReading), other.reading("ann", 0):
            pass
        with other.reading("ben", 0):
            pass
        # A delivering process must not keep others from logging in.
        other.save(saved())
    with other.reading("ann", 0):
        pass


def test_processes_that_write_at_once_lose_nothing(sessions: SessionDirectory, state: Path) -> None:
    """Every note of every process must survive, and no reader may see half a file."""
    sessions.save(saved())
    code = (
        "import sys; from pathlib import Path; from tests.client.state.test_session_directory import *\n"
        "sessions = SessionDirectory(Path(sys.argv[1]), SERVER)\n"
        "for through in range(int(sys.argv[2]), 200, 4):\n"
        "    sessions.note_shown('ann', OPENING, through)\n"
        "    assert sessions.load('ann').shown_through >= through\n"
        "    sessions.save(saved(f'user{through}'))\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(state), str(start)]) for start in range(1, 5)]
    while any(writer.poll() is None for writer in writers):
        assert sessions.pick("ann").session == SESSION
    assert [writer.returncode for writer in writers] == [0] * 4
    assert sessions.pick("ann").shown_through == 199
    assert len(sessions.usernames()) == 200


def test_the_files_lie_where_xdg_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert state_directory() == tmp_path / "chatbooth"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for ignored in ("", "relative"):
        monkeypatch.setenv("XDG_STATE_HOME", ignored)
        assert state_directory() == tmp_path / "home" / ".local" / "state" / "chatbooth"


@pytest.mark.parametrize("home", ["", ".", "relative", "~", "../up"])
def test_a_home_that_is_no_absolute_path_is_refused(home: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", home)
    with pytest.raises(Misuse, match=r"Set HOME, or set XDG_STATE_HOME"):
        state_directory()
    monkeypatch.setenv("XDG_STATE_HOME", "/x")
    assert state_directory() == Path("/x/chatbooth")


def test_without_home_the_systems_own_entry_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("HOME", raising=False)
    assert state_directory().is_absolute()
