"""The session of a token file: the file is private, and the place that was shown is kept without the token."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chatbooth_grpc.booth.model import Opening
from chatbooth_grpc.client.failures.token_failures import TokenFileExposed, TokenFileWrong
from chatbooth_grpc.client.state.token_sessions import TokenSessions, read_token

SECRET = bytes(range(1, 17))
SERVER = "127.0.0.1:50051"
OPENING = Opening(b"e" * 16, 7, 0, 3)


def write_token(folder: Path, text: str, mode: int = 0o600) -> Path:
    """Write a token file."""
    path = folder / "token"
    path.write_text(f"{text}\n")
    path.chmod(mode)
    return path


def test_a_token_file_is_read_as_a_session(tmp_path: Path) -> None:
    path = write_token(tmp_path, SECRET.hex())
    sessions = TokenSessions(tmp_path / "state", SERVER, path)
    saved = sessions.pick("ann")
    assert (saved.session.token, saved.shown_through, saved.session.epoch) == (SECRET, 0, b"")
    assert saved.username.startswith("token-")
    assert sessions.words_of(saved) == ["--token-file", str(path)]
    assert str(path) in str(sessions.ended(saved))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o666, 0o601])
def test_a_file_that_others_can_use_is_refused(tmp_path: Path, mode: int) -> None:
    path = write_token(tmp_path, SECRET.hex(), mode)
    with pytest.raises(TokenFileExposed, match=f"{mode:04o}.*chmod 600 {path}"):
        TokenSessions(tmp_path / "state", SERVER, path).pick(None)


@pytest.mark.parametrize("text", ["", "x" * 32, SECRET.hex()[2:], f"{SECRET.hex()} {SECRET.hex()}", "é", "00" * 9_999])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(TokenFileWrong):
        read_token(write_token(tmp_path, text, 0o400))


def test_a_pipe_has_no_mode_to_check_and_is_read_once(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, f"{SECRET.hex()}\n".encode())
    os.close(writer)
    sessions = TokenSessions(tmp_path, SERVER, Path(f"/dev/fd/{reader}"))
    assert sessions.pick(None).session.token == sessions.pick(None).session.token == SECRET
    os.close(reader)


def test_the_place_is_kept_for_each_token_and_the_token_is_not(tmp_path: Path) -> None:
    state, path = tmp_path / "state", write_token(tmp_path, SECRET.hex())
    sessions = TokenSessions(state, SERVER, path)
    name = sessions.pick(None).username
    sessions.note_shown(name, OPENING, 2)
    sessions.note_shown(name, OPENING, 1)
    again = TokenSessions(state, SERVER, path).pick(None)
    assert again.session.token == SECRET
    assert again.shown_of(7, b"e" * 16) == 2
    files = [each for each in state.rglob("*") if each.is_file()]
    assert any(name in each.name for each in files)
    assert all(each.stat().st_mode & 0o077 == 0 for each in files)
    assert not any(SECRET in each.read_bytes() or SECRET.hex().encode() in each.read_bytes() for each in files)
    other = write_token(tmp_path, SECRET[::-1].hex())
    assert TokenSessions(state, SERVER, other).pick(None).shown_through == 0
    sessions.remove(again)
    assert TokenSessions(state, SERVER, write_token(tmp_path, SECRET.hex())).pick(None).shown_through == 0
