"""A store that was put back begins a new epoch. One that was restarted keeps its own."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import apsw
import pytest

from chatbooth_grpc.booth.errors import StoreFull
from chatbooth_grpc.store.sqlite import admission, seal
from chatbooth_grpc.store.sqlite.opening import StoreOpenError
from chatbooth_grpc.store.sqlite.seal import Phase, Seal
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.stores import SQLiteHome, delete, log_in, new_message, send, send_texts, sign_up, texts
from tests.store import killed_at_a_step
from tests.store.disk_actions import Failing
from tests.store.earlier import make_earlier_store
from tests.store.power_loss import Disk
from tests.store.serving_process import ROOT, ServingProcess
from tests.store.sqlite.copies import PUT_BACK, TAKEN, all_files, by_cp_with_times, remove_log, the_file, vacuum_into
from tests.waiting import wait_until

A_MOMENT = 0.05
"""How old a copy must be to differ from the files themselves. In the product it is two seconds."""


@pytest.fixture(autouse=True)
def short_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the moment short."""
    monkeypatch.setattr(seal, "_LAG", round(A_MOMENT * 1_000_000_000))


def causes(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the causes of new epochs in the log."""
    return [vars(record)["cause"] for record in caplog.records if record.name == admission.__name__]


def let_a_moment_pass() -> None:
    """Wait until the times of files tell new files from old ones. Only the passing of time can do that."""
    end = time.monotonic() + 2 * A_MOMENT
    while time.monotonic() < end:
        time.sleep(A_MOMENT / 4)


# A stopped store is one file and its seal, of which SQLite's own copies differ in nothing.
WHEN_TAKEN = [*((True, way) for way in TAKEN), (False, the_file), (False, all_files)]


@pytest.mark.parametrize("put_back", PUT_BACK, ids=lambda way: way.__name__)
@pytest.mark.parametrize("stops", [True, False], ids=["stopped", "killed"])
@pytest.mark.parametrize(
    ("runs", "taken"),
    WHEN_TAKEN,
    ids=[f"{way.__name__} {'running' if runs else 'stopped'}" for runs, way in WHEN_TAKEN],
)
def test_a_store_that_was_put_back_begins_a_new_epoch(
    home: SQLiteHome,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    runs: bool,
    stops: bool,
    taken: Callable[[Path, Path], None],
    put_back: Callable[[Path, Path], Path],
) -> None:
    (copy := tmp_path / "copy").mkdir()
    process = ServingProcess(home.path)
    process.store("one")
    process.close()
    process = ServingProcess(home.path)
    process.store("two", "three")
    if not runs:
        process.close()
    taken(home.path, copy)
    if not runs:
        process = ServingProcess(home.path)
    let_a_moment_pass()
    process.store("four", "five")
    epoch = process.epoch
    if stops:
        process.close()
    else:
        process.kill()
    let_a_moment_pass()
    there = put_back(copy, home.path)
    with SQLiteStore(there) as store:
        ann = log_in(store, "ann")
        restored = texts(store, ann)
        assert store.epoch != epoch
        new_epoch = store.epoch
        send_texts(store, ann, "ann", "new")
    assert restored in (["one"], ["one", "two", "three"])
    assert len(causes(caplog)) == 1
    with SQLiteStore(there) as store:
        assert store.epoch == new_epoch
        assert texts(store, log_in(store, "ann")) == [*restored, "new"]
    assert len(causes(caplog)) == 1


def test_a_copy_that_lacks_no_message_is_noticed_after_a_clean_stop(
    home: SQLiteHome, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        send_texts(store, ann, "ann", "hello")
        vacuum_into(home.path, tmp_path)
        sign_up(store, "bob")
        epoch = store.epoch
    by_cp_with_times(only(tmp_path / home.path.name), home.path)
    with home.open() as store:
        assert store.epoch != epoch
        assert store.account("bob") is None
    assert causes(caplog) == ["its file was replaced or changed after it was closed"]


def only(file: Path) -> Path:
    """Return a folder that has a file and nothing else."""
    (folder := file.with_name("only")).mkdir()
    file.rename(folder / file.name)
    return folder


def test_a_log_that_was_removed_after_a_crash_is_noticed(home: SQLiteHome, caplog: pytest.LogCaptureFixture) -> None:
    process = ServingProcess(home.path)
    process.store("one")
    process.close()
    process = ServingProcess(home.path)
    process.store("two", "three")
    process.kill()
    remove_log(home.path)
    with home.open() as store:
        assert store.epoch != process.epoch
        assert texts(store, log_in(store, "ann")) == ["one"]
    assert causes(caplog) == ["another start wrote to it last"]


def test_messages_that_are_missing_after_a_crash_are_counted(
    home: SQLiteHome, caplog: pytest.LogCaptureFixture
) -> None:
    process = ServingProcess(home.path)
    process.store("one")
    connection = apsw.Connection(str(home.path))
    # After this, the file knows of this start.
    connection.pragma("wal_checkpoint")
    process.store("two", "three")
    wait_until(lambda: is_sealed(home.path, 3))
    process.kill()
    connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    connection.close()
    remove_log(home.path)
    with home.open() as store:
        assert store.epoch != process.epoch
    assert causes(caplog) == ["it lacks 2 messages that were stored"]


@pytest.mark.parametrize("stops", [True, False], ids=["stopped", "killed"])
def test_a_restart_keeps_the_epoch(home: SQLiteHome, caplog: pytest.LogCaptureFixture, stops: bool) -> None:
    epochs = set()
    for number in range(4):
        process = ServingProcess(home.path)
        epochs.add(process.epoch)
        process.store(*[f"{number} {one}" for one in range(number)])
        let_a_moment_pass()
        if stops:
            assert "epoch" not in process.close()
        else:
            process.kill()
    with home.open() as store:
        assert {store.epoch} == epochs
        assert len(texts(store, log_in(store, "ann"))) == 6
    assert causes(caplog) == []


def test_a_kill_at_any_step_of_a_start_and_a_stop_keeps_the_epoch(
    home: SQLiteHome, caplog: pytest.LogCaptureFixture
) -> None:
    with home.open() as store:
        sign_up(store, "ann")
        epoch = store.epoch
    for number in count():
        command = [sys.executable, "-m", killed_at_a_step.__name__, str(home.path), str(number)]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=60, check=False)
        with home.open() as store:
            assert store.epoch == epoch, f"killed before step {number}"
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert number > 20
    assert causes(caplog) == []


def test_a_power_loss_that_takes_the_mark_keeps_the_epoch(
    home: SQLiteHome, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk may have an older mark than the change time says, since only the store itself is synced."""
    process = ServingProcess(home.path)
    process.store("one", "two")
    process.kill()
    beside = home.path.with_name(f"{home.path.name}.seal")
    content = beside.read_bytes()
    messages, written = seal._MARK.unpack_from(content, seal._MARK_OFFSET)
    # A server counts a message after it has answered.
    assert messages in (1, 2)
    older = seal._MARK.pack(messages - 1, written - 30_000_000_000)
    with beside.open("r+b") as file:
        file.write(content[: seal._MARK_OFFSET] + older)
    monkeypatch.setattr(seal, "_boot_id", lambda: b"after the outage")
    with home.open() as store:
        assert store.epoch == process.epoch
    assert causes(caplog) == []


def test_a_folder_that_was_renamed_keeps_the_epoch(home: SQLiteHome, caplog: pytest.LogCaptureFixture) -> None:
    with home.open() as store:
        sign_up(store, "ann")
        epoch = store.epoch
    let_a_moment_pass()
    moved = home.path.parent.rename(home.path.parent.with_name("moved"))
    with SQLiteStore(moved / home.path.name) as store:
        assert store.epoch == epoch
    assert causes(caplog) == []


def test_messages_of_accounts_that_were_deleted_still_count(home: SQLiteHome, caplog: pytest.LogCaptureFixture) -> None:
    with home.open() as store:
        ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
        send_texts(store, ann, "bob", *"abcde")
        delete(store, bob)
        while store.prune_deleted():
            pass
        epoch = store.epoch
        assert Seal(home.path).read().messages == 5
    with home.open() as store:
        assert store.epoch == epoch
        send_texts(store, ann, "ann", "f")
        # Messages are counted after the answer, and before the next transaction.
        store.touch_session(ann)
        assert Seal(home.path).read().messages == 6
    assert causes(caplog) == []


@pytest.mark.parametrize("spoil", ["remove", "empty", "cut", "overwrite", "replace by a folder"])
def test_a_seal_that_is_spoiled_while_stopped_means_a_new_epoch(
    home: SQLiteHome, caplog: pytest.LogCaptureFixture, spoil: str
) -> None:
    with home.open() as store:
        sign_up(store, "ann")
        epoch = store.epoch
    spoil_seal(home.path, spoil)
    with home.open() as store:
        assert store.epoch != epoch
        epoch = store.epoch
    assert len(causes(caplog)) == 1
    if spoil != "replace by a folder":
        with home.open() as store:
            assert store.epoch == epoch


@pytest.mark.parametrize("spoil", ["remove", "empty", "cut", "overwrite"])
@pytest.mark.parametrize("stops", [True, False], ids=["stopped", "killed"])
def test_a_seal_that_is_spoiled_while_the_server_runs_is_written_again(
    home: SQLiteHome, caplog: pytest.LogCaptureFixture, spoil: str, stops: bool
) -> None:
    process = ServingProcess(home.path)
    process.store("one")
    spoil_seal(home.path, spoil)
    process.store("two")
    wait_until(lambda: is_sealed(home.path, 2))
    if stops:
        process.close()
    else:
        process.kill()
    with home.open() as store:
        assert store.epoch == process.epoch
    assert causes(caplog) == []


def spoil_seal(path: Path, way: str) -> None:
    """Spoil the seal of a store in one way."""
    beside = path.with_name(f"{path.name}.seal")
    content = beside.read_bytes()
    if way == "remove":
        beside.unlink()
    elif way == "replace by a folder":
        beside.unlink()
        beside.mkdir()
    else:
        beside.write_bytes({"empty": b"", "cut": content[:40], "overwrite": content.replace(b"seal", b"SEAL")}[way])


def is_sealed(path: Path, messages: int) -> bool:
    """Say whether a store has a whole seal, and the seal counts this many messages."""
    try:
        return Seal(path).read().messages == messages
    except seal.SealBroken:
        return False


def test_the_operator_may_say_that_it_was_restored(home: SQLiteHome, caplog: pytest.LogCaptureFixture) -> None:
    with home.open() as store:
        sign_up(store, "ann")
        epoch = store.epoch
    with SQLiteStore(home.path, restored=True) as store:
        assert store.epoch != epoch
    assert causes(caplog) == ["--restored says so"]


def test_a_new_store_is_no_restored_one(home: SQLiteHome, caplog: pytest.LogCaptureFixture) -> None:
    with home.open():
        pass
    home.path.unlink()
    with home.open():
        pass
    assert causes(caplog) == []


def test_a_store_from_before_there_were_seals_begins_one_new_epoch(
    home: SQLiteHome, caplog: pytest.LogCaptureFixture
) -> None:
    make_earlier_store(home, 3, "ann")
    connection = apsw.Connection(str(home.path))
    epoch = connection.execute("SELECT epoch FROM store").get
    connection.close()
    epochs = []
    for _ in range(2):
        with home.open() as store:
            epochs.append(store.epoch)
    assert epochs[0] == epochs[1] != epoch
    assert causes(caplog) == ["it has no seal beside it"]


def test_a_full_disk_keeps_the_epoch(
    home: SQLiteHome, disk: Disk, open_on_disk: Callable[[], SQLiteStore], caplog: pytest.LogCaptureFixture
) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        epoch = store.epoch
    with disk.before("write", Failing(apsw.SQLITE_FULL)), open_on_disk() as store:
        assert store.epoch == epoch
        assert store.account("ann") is not None
        with pytest.raises(StoreFull):
            send(store, new_message(ann, "ann"))
    with home.open() as store:
        assert store.epoch == epoch
    assert causes(caplog) == []


def test_a_full_disk_keeps_a_restored_store_from_being_served(
    home: SQLiteHome, disk: Disk, open_on_disk: Callable[[], SQLiteStore]
) -> None:
    with home.open() as store:
        sign_up(store, "ann")
        epoch = store.epoch
    spoil_seal(home.path, "remove")
    with disk.before("write", Failing(apsw.SQLITE_FULL)), pytest.raises(StoreOpenError, match="full"):
        open_on_disk()
    with home.open() as store:
        assert store.epoch != epoch


def test_the_seal_is_closed_with_the_store(home: SQLiteHome) -> None:
    with home.open() as store:
        assert Seal(home.path).read().phase is Phase.RUNNING
        sign_up(store, "ann")
    assert Seal(home.path).read().phase is Phase.CLOSED
