"""The files of the command line, damaged or unusable: a clear line, and nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.processes import CLIENT, CommandLine, Done, ServerProcess
from tests.acceptance.seats import Seat
from tests.acceptance.test_listen_command import Listener

COMMANDS = (
    ["whoami"],
    ["list"],
    ["send", "ann", "tea?"],
    ["send", "--queue", "ann", "tea?"],
    ["listen", "--max", "1"],
    ["deliver"],
    ["outbox"],
    ["outbox", "--send"],
    ["login", "ann"],
)


class SeatWithFiles(Seat):
    """Ann, logged in, with messages in the mailbox and one in the outbox, and the files that she has."""

    def __init__(self, address: str, folder: Path) -> None:
        super().__init__(address, folder, waiting=4)
        self.session = self.sessions.path("ann")
        self.outbox = self.sessions._outbox_path(self.saved)

    def files(self) -> dict[str, Path]:
        """Return each file that the command line keeps, by its kind."""
        folder = self.session.parent
        return {
            "session": self.session,
            "outbox": self.outbox,
            "outbox lock": Path(f"{self.outbox}.lock"),
            "lock": folder / ".lock",
            "reader's lock": folder / ".ann.reading",
        }


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Return the address of a server over the wire, where a command starts fastest."""
    server = ServerProcess(tmp_path / "chatbooth.db", flags=["--wire-port", "0"])
    yield server.addresses["wire"]
    server.end()


@pytest.fixture
def seat(address: str, tmp_path: Path) -> SeatWithFiles:
    return SeatWithFiles(address, tmp_path / "state")


def garbage(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 8)


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def of_another_program(path: Path) -> None:
    path.write_text(json.dumps({"format": 1, "bookmarks": []}))


def a_folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def a_broken_link(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(path.parent / "nowhere" / "x")


DAMAGES = [garbage, truncated, of_another_program, a_folder, a_broken_link]
FILES = ["session", "outbox", "outbox lock", "lock", "reader's lock"]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", FILES)
def test_no_command_ends_in_a_traceback(seat: SeatWithFiles, name: str, damage: Callable[[Path], None]) -> None:
    path = seat.files()[name]
    if damage is not truncated or path.exists():
        damage(path)
    for words in COMMANDS:
        done = seat.chatbooth(*words)
        assert "Traceback" not in done.err, words
        assert done.code in {0, 1, 3}, (words, done)
        if done.code == 1:
            assert str(path) in done.err, (words, done)
    if damage in (garbage, truncated, of_another_program) and name in ("session", "outbox"):
        assert [kept.name for kept in path.parent.glob("*.damaged-*")] == [f"{path.name}.damaged-1"]
    assert damage is a_folder or damage is a_broken_link or seat.chatbooth("deliver").code == 0


def test_listen_reports_a_damaged_outbox_once_and_sends_the_next_message(seat: SeatWithFiles) -> None:
    garbage(seat.outbox)
    listener = Listener(seat.chatbooth, "listen")
    kept = f"{seat.outbox}.damaged-1"
    listener.wait_for(lambda: any(kept in line for line in listener.err))
    [words] = [line for line in listener.err if kept in line]
    assert words.startswith(f"{seat.outbox}: ")
    message_id = seat.queue()
    listener.wait_for(lambda: any("Sent to ann" in line for line in listener.err))
    listener.wait_for(lambda: "ann: queued" in listener.out[-1])
    assert listener.end(signal.SIGINT) == 130
    assert sum(kept in line for line in listener.err) == 1
    assert message_id


def test_listen_reports_an_unusable_outbox_once(seat: SeatWithFiles) -> None:
    seat.outbox.unlink()
    seat.outbox.mkdir()
    listener = Listener(seat.chatbooth, "--json", "listen")
    listener.wait_for(lambda: any('"outbox_unusable"' in line for line in listener.out))
    seat.outbox.rmdir()
    seat.queue()
    listener.wait_for(lambda: any('"sent"' in line for line in listener.out))
    assert sum('"outbox_unusable"' in line for line in listener.out) == 1
    listener.end(signal.SIGINT)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of a few pages."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not shutil.which("mount"):
        pytest.skip("there is no mount here")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=True)


def fill(disk: Path) -> None:
    with (disk / "filler").open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return


def make_read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], capture_output=True, check=True)


@pytest.mark.parametrize("trouble", [fill, make_read_only])
def test_a_full_disk_is_named(address: str, small_disk: Path, trouble: Callable[[Path], None]) -> None:
    seat = SeatWithFiles(address, small_disk / "state")
    trouble(small_disk)
    for words, codes in {
        ("whoami",): {0},
        ("send", "ann", "tea?"): {0},
        ("send", "--queue", "ann", "x" * 10_000): {1},
        ("deliver",): {0, 1},
        ("login", "ann"): {0, 1},
    }.items():
        done = seat.chatbooth(*words)
        assert done.code in codes, (words, done)
        assert "Traceback" not in done.err
        assert "is queued" not in done.err
        if done.code == 1:
            assert str(small_disk) in done.err, (words, done)
    if trouble is fill:
        (small_disk / "filler").unlink()
        assert seat.chatbooth("outbox", "--send").code in {0, 3}


POWERLESS = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
"""Starts a program of root's to which the modes of files apply as to any other user."""


def run_powerless(chatbooth: CommandLine, *words: str) -> Done:
    """Run a command to which the modes of files apply."""
    prefix = POWERLESS if os.geteuid() == 0 else []
    if prefix and (not shutil.which("setpriv") or subprocess.run([*prefix, "true"], check=False).returncode):
        pytest.skip("the modes of files do not apply to the administrator here")
    done = subprocess.run(
        [*prefix, *CLIENT, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=chatbooth.environment(),
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.parametrize("mode", [0o000, 0o400])
@pytest.mark.parametrize("name", [*FILES, "folder"])
def test_a_file_without_permission_is_named(seat: SeatWithFiles, name: str, mode: int) -> None:
    # All files exist now.
    assert seat.chatbooth("send", "--queue", "ann", "tea?").code == 0
    path = {**seat.files(), "folder": seat.session.parent}[name]
    path.touch() if name != "folder" else None
    path.chmod(mode)
    for words in COMMANDS:
        done = run_powerless(seat.chatbooth, *words)
        assert "Traceback" not in done.err, words
        assert done.code in {0, 1}, (words, done)
        assert "Nobody is logged in" not in done.err
        if done.code == 1:
            assert str(path) in done.err, (words, done)
            assert "denied" in done.err, (words, done)
    path.chmod(0o700)
