"""Files beside a store's file are read if they belong to it, and refused unchanged if not."""

from __future__ import annotations

import itertools
import random
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from chatbooth_grpc.booth.store import StoredSession
from chatbooth_grpc.store.sqlite import checkpoints
from chatbooth_grpc.store.sqlite.opening import StoreOpenError
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.stores import SQLiteHome, log_in, new_message, send_texts, sign_up, texts
from tests.store.earlier import append_as_before, make_earlier_store
from tests.store.power_loss import Disk, Image, lay_out

NAMES = ("chatbooth.db", "chatbooth.db-wal")


def copied(home: SQLiteHome, directory: Path) -> Path:
    """Copy the store's files as they are, as a kill of the server would leave them."""
    directory.mkdir(parents=True)
    for name in NAMES:
        if (found := home.path.with_name(name)).exists():
            shutil.copy(found, directory / name)
    return directory


def put_together(file_from: Path, log_from: Path, directory: Path) -> SQLiteHome:
    """Return a home with the file of one copy and the log of another."""
    home = SQLiteHome(directory)
    shutil.copy(file_from / NAMES[0], directory / NAMES[0])
    shutil.copy(log_from / NAMES[1], directory / NAMES[1])
    return home


def contents(home: SQLiteHome) -> dict[str, bytes]:
    """Return the content of the file and of the log."""
    return {name: home.path.with_name(name).read_bytes() for name in NAMES}


def refusal(home: SQLiteHome) -> str:
    """Try to open the store. Return the refusal, which names both files. Both must stay unchanged."""
    before = contents(home)
    with pytest.raises(StoreOpenError) as refused:
        home.open()
    assert contents(home) == before
    words = str(refused.value)
    assert len(words.splitlines()) == 1
    assert str(home.path) in words
    assert f"{home.path}-wal" in words
    return words


def numbers_in(home: SQLiteHome) -> list[int]:
    """Open the store and return the numbers at the start of ann's texts. The file must be sound afterwards."""
    with home.open() as store:
        numbers = [int(text.split()[0]) for text in texts(store, log_in(store, "ann"))]
    connection = apsw.Connection(str(home.path))
    assert connection.pragma("integrity_check") == "ok"
    connection.close()
    return numbers


def send_number(store: SQLiteStore, ann: StoredSession, number: int) -> None:
    """Send a text that begins with a number. The size of each text differs."""
    send_texts(store, ann, "ann", f"{number} " + "x" * (number % 3 * 3_000))


@pytest.fixture
def stages(home: SQLiteHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Copies of a running store, one after each message. The store makes many checkpoints meanwhile."""
    monkeypatch.setattr(checkpoints, "CHECKPOINT_PAGES", 24)
    # The writer copies the log into the file after it has answered. A copy of the file must not be made meanwhile.
    is_at_rest, run_if_due = threading.Event(), checkpoints.Checkpoints.run_if_due

    def run_and_tell(running: checkpoints.Checkpoints) -> bool:
        ran = run_if_due(running)
        is_at_rest.set()
        return ran

    monkeypatch.setattr(checkpoints.Checkpoints, "run_if_due", run_and_tell)
    found: list[Path] = []
    with home.open() as store:
        ann = sign_up(store, "ann")
        for number in range(40):
            is_at_rest.clear()
            send_number(store, ann, number)
            assert is_at_rest.wait(20)
            found.append(copied(home, tmp_path / "stages" / str(number)))
    return found


def test_a_killed_store_opens_wherever_it_was(stages: list[Path], tmp_path: Path) -> None:
    for number, stage in enumerate(stages):
        both = put_together(stage, stage, tmp_path / f"again {number}")
        assert numbers_in(both) == [*range(number + 1)]


def test_another_file_beside_a_log_gives_all_or_is_refused(stages: list[Path], tmp_path: Path) -> None:
    refused = accepted = 0
    for (older, file_from), (newer, log_from) in itertools.permutations(enumerate(stages[:24]), 2):
        mixed = put_together(file_from, log_from, tmp_path / f"{older} and {newer}")
        try:
            numbers = numbers_in(mixed)
        except StoreOpenError:
            refused += 1
        else:
            accepted += 1
            # A file with all that a log has, or from the log's own beginning, makes one state with it.
            assert numbers == [*range(newer + 1)] or numbers == [*range(older + 1)]
    assert refused > 250
    assert accepted > 50


def test_the_advice_keeps_the_messages_of_the_log(stages: list[Path], tmp_path: Path) -> None:
    mixed = put_together(stages[10], stages[-1], tmp_path / "mixed")
    assert "put back the file chatbooth.db that was there" in refusal(mixed)
    shutil.copy(stages[-1] / NAMES[0], mixed.path)
    assert numbers_in(mixed) == [*range(40)]


def test_the_advice_also_says_how_to_start_without_the_log(stages: list[Path], tmp_path: Path) -> None:
    mixed = put_together(stages[10], stages[-1], tmp_path / "mixed")
    older = put_together(stages[10], stages[10], tmp_path / "older")
    older.path.with_name(NAMES[1]).unlink()
    assert "move chatbooth.db-wal away" in refusal(mixed)
    mixed.path.with_name(NAMES[1]).rename(tmp_path / "kept-wal")
    assert numbers_in(mixed) == numbers_in(older)
    shutil.copy(stages[-1] / NAMES[0], tmp_path / "kept")
    (tmp_path / "back").mkdir()
    assert numbers_in(put_back(tmp_path, stages)) == [*range(40)]


def put_back(tmp_path: Path, stages: list[Path]) -> SQLiteHome:
    """Move the log back to the place beside its file."""
    back = SQLiteHome(tmp_path / "back")
    shutil.copy(stages[-1] / NAMES[0], back.path)
    shutil.copy(tmp_path / "kept-wal", back.path.with_name(NAMES[1]))
    return back


def test_a_refusal_can_be_repeated(stages: list[Path], tmp_path: Path) -> None:
    mixed = put_together(stages[0], stages[-1], tmp_path / "mixed")
    assert refusal(mixed) == refusal(mixed)


def test_a_path_with_any_characters_is_checked(stages: list[Path], tmp_path: Path) -> None:
    refusal(put_together(stages[0], stages[-1], tmp_path / "50% of? this#1 é"))


def test_another_stores_log_is_refused(stages: list[Path], tmp_path: Path) -> None:
    other = SQLiteHome(tmp_path / "other")
    with other.open() as store:
        send_number(store, sign_up(store, "ann"), 0)
        copied(other, tmp_path / "copy of other")
    refusal(put_together(stages[-1], tmp_path / "copy of other", tmp_path / "mixed"))
    refusal(put_together(tmp_path / "copy of other", stages[-1], tmp_path / "mixed too"))


@pytest.mark.parametrize("leave", [lambda path: path.unlink(), lambda path: path.write_bytes(b"")])
def test_a_log_without_its_file_is_not_deleted(
    stages: list[Path], tmp_path: Path, leave: Callable[[Path], object]
) -> None:
    home = put_together(stages[-1], stages[-1], tmp_path / "alone")
    leave(home.path)
    log = home.path.with_name(NAMES[1])
    before = log.read_bytes()
    with pytest.raises(StoreOpenError, match="missing or empty"):
        home.open()
    assert log.read_bytes() == before
    shutil.copy(stages[-1] / NAMES[0], home.path)
    assert numbers_in(home) == [*range(40)]


def test_a_file_from_before_generations_is_refused_beside_a_later_log(stages: list[Path], tmp_path: Path) -> None:
    earlier = SQLiteHome(tmp_path / "earlier")
    make_earlier_store(earlier, 3, "ann")
    refusal(put_together(earlier.path.parent, stages[-1], tmp_path / "mixed"))


def test_a_killed_store_from_before_generations_is_brought_up_to_date(tmp_path: Path) -> None:
    stage = killed_earlier_store(tmp_path)
    assert numbers_in(put_together(stage, stage, tmp_path / "again")) == [0, 1]


def killed_earlier_store(tmp_path: Path) -> Path:
    """Return the files of a store of schema 2 whose log holds two messages, 0 and 1."""
    earlier = SQLiteHome(tmp_path / "earlier")
    ann = make_earlier_store(earlier, 2, "ann")
    keep_log = apsw.Connection(str(earlier.path))
    keep_log.execute("SELECT * FROM store").fetchall()
    append_as_before(earlier, ann, [new_message(ann, "ann", text) for text in ("0", "1")])
    stage = copied(earlier, tmp_path / "killed")
    keep_log.close()
    return stage


def test_a_power_loss_amid_a_migration_leaves_a_store_that_opens(tmp_path: Path, disk: Disk) -> None:
    stage = killed_earlier_store(tmp_path)
    home = put_together(stage, stage, tmp_path / "migrated")
    coin = random.Random(1)
    moments: list[Image] = []

    def remember(_name: str) -> None:
        moments.append(disk.after_power_loss(lambda: coin.random() < 0.5))

    with disk.before("write", remember), disk.before("sync", remember):
        SQLiteStore(home.path, vfs=disk.name).close()
    assert len(moments) > 20
    for number, image in enumerate(moments):
        lay_out(image, tmp_path / f"after {number}")
        assert numbers_in(SQLiteHome(tmp_path / f"after {number}")) == [0, 1]


def test_a_reader_in_the_way_of_checkpoints_does_no_harm(
    home: SQLiteHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "CHECKPOINT_PAGES", 24)
    with home.open() as store:
        ann = sign_up(store, "ann")
        reader = apsw.Connection(str(home.path))
        for number in range(40):
            if number % 10 == 0:
                reader = apsw.Connection(str(home.path))
                reader.execute("BEGIN; SELECT * FROM mailboxes").fetchall()
            send_number(store, ann, number)
            if number % 10 == 7:
                reader.close()
            stage = copied(home, tmp_path / str(number))
            assert numbers_in(put_together(stage, stage, tmp_path / f"again {number}")) == [*range(number + 1)]


def test_another_programs_checkpoint_does_no_harm(home: SQLiteHome, tmp_path: Path) -> None:
    with home.open() as store:
        ann = sign_up(store, "ann")
        for number in range(8):
            send_number(store, ann, number)
            other = apsw.Connection(str(home.path))
            other.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            other.close()
            stage = copied(home, tmp_path / str(number))
            assert numbers_in(put_together(stage, stage, tmp_path / f"again {number}")) == [*range(number + 1)]


@pytest.fixture
def journals(tmp_path: Path, disk: Disk) -> list[dict[str, bytes]]:
    """The files of a server that was killed at its first start, at each step that leaves a rollback journal."""
    new = SQLiteHome(tmp_path / "new")
    moments: list[dict[str, bytes]] = []

    def remember(_name: str) -> None:
        moments.append({path.name: path.read_bytes() for path in new.path.parent.iterdir()})

    with disk.before("write", remember), disk.before("sync", remember):
        SQLiteStore(new.path, vfs=disk.name).close()
    return [moment for moment in moments if moment.get("chatbooth.db-journal")]


def test_a_file_beside_the_journal_of_a_first_start_is_not_undone(
    stages: list[Path], journals: list[dict[str, bytes]], home: SQLiteHome, tmp_path: Path
) -> None:
    assert len(journals) > 2
    for number, moment in enumerate(journals):
        put_back = SQLiteHome(tmp_path / f"journal {number}")
        shutil.copy(home.path, put_back.path)
        journal = put_back.path.with_name("chatbooth.db-journal")
        journal.write_bytes(moment["chatbooth.db-journal"])
        with pytest.raises(StoreOpenError, match=r"move chatbooth\.db-journal away"):
            put_back.open()
        assert put_back.path.read_bytes() == home.path.read_bytes()
        journal.unlink()
        assert numbers_in(put_back) == [*range(40)]


def test_a_first_start_that_was_killed_can_be_repeated(journals: list[dict[str, bytes]], tmp_path: Path) -> None:
    for number, moment in enumerate(journals):
        again = tmp_path / f"again {number}"
        lay_out(moment, again)
        with SQLiteHome(again).open() as store:
            assert sign_up(store, "ann").username == "ann"


def test_a_store_without_a_log_that_was_killed_at_its_first_start_opens(
    stages: list[Path], home: SQLiteHome, tmp_path: Path, disk: Disk
) -> None:
    """`VACUUM INTO` makes a file without a WAL. The first start gives it one, and uses a journal for that."""
    plain = SQLiteHome(tmp_path / "plain")
    connection = apsw.Connection(str(home.path))
    connection.execute("VACUUM INTO ?", (str(plain.path),))
    connection.close()
    moments: list[dict[str, bytes]] = []

    def remember(_name: str) -> None:
        moments.append({path.name: path.read_bytes() for path in plain.path.parent.iterdir()})

    with disk.before("write", remember), disk.before("sync", remember):
        SQLiteStore(plain.path, vfs=disk.name).close()
    journals = [moment for moment in moments if moment.get("chatbooth.db-journal")]
    assert len(journals) > 2
    for number, moment in enumerate(journals):
        again = tmp_path / f"again {number}"
        lay_out(moment, again)
        assert numbers_in(SQLiteHome(again)) == [*range(40)]
