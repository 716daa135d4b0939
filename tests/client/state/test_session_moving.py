"""Files kept under a server's former name are found again, whole, after an upgrade."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from chatbooth_grpc.client.state.outbox import Outbox, OutboxDamaged
from chatbooth_grpc.client.state.session_directory import SessionDirectory
from chatbooth_grpc.client.state.session_file import SavedSession
from tests.client.scripted import SESSION

SERVER = "127.0.0.1:50051"
FORMER = ["localhost:50051", "[::1]:50051", "localhost.:50051"]
NEW_TOKEN = b"n" * 16


def kept(server: str, username: str = "ann", token: bytes = SESSION.token, shown_through: int = 0) -> SavedSession:
    return SavedSession(server, replace(SESSION, username=username, token=token), shown_through)


def write_former(state: Path, server: str, saved: SavedSession, age: float = 0.0) -> Path:
    """Write a session as an earlier chatbooth did, `age` seconds ago."""
    folder = state / "sessions" / server
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{saved.username}.json"
    path.write_bytes(saved.encode())
    moment = path.stat().st_mtime - age
    os.utime(path, (moment, moment))
    (folder / ".lock").touch()
    (folder / f".{saved.username}.reading").touch()
    return path


@pytest.mark.parametrize("former", FORMER)
@pytest.mark.parametrize("asked", [SERVER, "localhost:50051"])
def test_sessions_are_found_again(tmp_path: Path, former: str, asked: str) -> None:
    write_former(tmp_path, former, kept(former, shown_through=5))
    write_former(tmp_path, former, kept(former, "ben"))
    sessions = SessionDirectory(tmp_path, asked)
    for _ in range(2):
        sessions.move_former()
        assert sessions.usernames() == ["ann", "ben"]
        assert sessions.pick("ann").shown_through == 5
    assert [path.name for path in (tmp_path / "sessions").iterdir()] == [SERVER]


def test_files_of_other_servers_are_not_touched(tmp_path: Path) -> None:
    path = write_former(tmp_path, "localhost:1", kept("localhost:1"))
    SessionDirectory(tmp_path, SERVER).move_former()
    assert path.exists()


@pytest.mark.parametrize(("age", "token"), [(60.0, SESSION.token), (-60.0, NEW_TOKEN)])
def test_of_two_sessions_the_newer_one_stays_and_no_message_is_shown_twice(
    tmp_path: Path, age: float, token: bytes
) -> None:
    sessions = SessionDirectory(tmp_path, SERVER)
    sessions.save(kept(SERVER, shown_through=3))
    write_former(tmp_path, FORMER[0], kept(FORMER[0], token=NEW_TOKEN, shown_through=9), age)
    sessions.move_former()
    found = sessions.pick("ann")
    assert (found.session.token, found.shown_through) == (token, 9)


@pytest.mark.parametrize("damaged", ["former", "here"])
def test_a_damaged_session_is_replaced(tmp_path: Path, damaged: str) -> None:
    sessions = SessionDirectory(tmp_path, SERVER)
    sessions.save(kept(SERVER))
    path = write_former(tmp_path, FORMER[0], kept(FORMER[0]))
    (path if damaged == "former" else sessions.path("ann")).write_bytes(b"{")
    sessions.move_former()
    assert sessions.pick("ann").session == SESSION


def test_queued_messages_are_still_sent_in_order_and_once(tmp_path: Path) -> None:
    sessions = SessionDirectory(tmp_path, SERVER)
    sessions.save(kept(SERVER))
    ids = [bytes([number]) * 16 for number in range(1, 5)]
    with sessions.outbox(kept(SERVER)) as outbox:
        outbox.put("ben", "one", ids[0])
        outbox.put("ben", "two", ids[1])
    former = write_former(tmp_path, FORMER[0], kept(FORMER[0])).parent
    name = f"ann.{SESSION.account_id}.outbox"
    with Outbox(former / name) as outbox:
        outbox.put("ben", "two", ids[1])
        outbox.put("ben", "three", ids[2])
    with Outbox(former / "ben.8.outbox") as outbox:
        outbox.put("ann", "four", ids[3])
    sessions.move_former()
    with sessions.outbox(kept(SERVER)) as outbox:
        assert [message.text for message in outbox.waiting()] == ["one", "two", "three"]
    with Outbox(sessions.path("ben").parent / "ben.8.outbox") as outbox:
        assert [message.text for message in outbox.waiting()] == ["four"]
    assert not former.exists()


def test_a_file_that_chatbooth_did_not_make_keeps_its_folder(tmp_path: Path) -> None:
    path = write_former(tmp_path, FORMER[0], kept(FORMER[0]))
    (path.parent / "notes.txt").touch()
    sessions = SessionDirectory(tmp_path, SERVER)
    sessions.move_former()
    assert sessions.usernames() == ["ann"]
    assert (path.parent / "notes.txt").exists()


@pytest.mark.parametrize("damaged", ["former", "here", "only"])
def test_a_damaged_outbox_stops_nothing_and_loses_nothing(tmp_path: Path, damaged: str) -> None:
    sessions = SessionDirectory(tmp_path, SERVER)
    sessions.save(kept(SERVER))
    former = write_former(tmp_path, FORMER[0], kept(FORMER[0])).parent / f"ann.{SESSION.account_id}.outbox"
    here = sessions.path("ann").parent / former.name
    for path in (former, here) if damaged != "only" else ():
        with Outbox(path) as outbox:
            outbox.put("ben", "tea")
    (here if damaged == "here" else former).write_bytes(b"no database" * 1_000)
    for _ in range(2):
        sessions.move_former()
    assert sessions.pick("ann").session == SESSION
    if damaged == "only":
        with pytest.raises(OutboxDamaged), sessions.outbox(kept(SERVER)):
            pass
    else:
        assert former.exists()
        with Outbox(here if damaged == "former" else former) as outbox:
            assert [message.text for message in outbox.waiting()] == ["tea"]
