"""Acknowledged changes outlive a power loss (P1): the synced bytes hold them."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import pytest

from chatbooth_grpc.store.sqlite import opening
from chatbooth_grpc.store.sqlite.seal import Seal, Sealed
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.racing import race
from tests.contract.stores import SQLiteHome, is_gap_free, log_in, mailbox, names_of, send_texts, sign_up, texts
from tests.store.changes import Change
from tests.store.power_loss import Disk, Image, lay_out

OpenOnDisk = Callable[[], SQLiteStore]


@pytest.fixture
def reopen(home: SQLiteHome, tmp_path: Path) -> Callable[..., SQLiteStore]:
    """Open a fresh store on an image of a disk, beside a seal if there is one."""

    def open_image(image: Image, sealed: Sealed | None = None) -> SQLiteStore:
        directory = tmp_path / "after"
        shutil.rmtree(directory, ignore_errors=True)
        lay_out(image, directory)
        if sealed is not None:
            (seal := Seal(directory / home.path.name)).put(sealed)
            seal.close(None)
        return SQLiteStore(directory / home.path.name, clock=home.clock)

    return open_image


def coin(seed: int) -> Callable[[], bool]:
    """Return a function that tosses a coin for each unsynced change. A power loss keeps any of them."""
    return partial(random.Random(seed).choice, [True, False])


def make_after_a_clean_start(change: Change, open_on_disk: OpenOnDisk, disk: Disk) -> Image:
    """Make a change after the store is opened. Return the files that a power loss leaves when it returns."""
    with open_on_disk() as store:
        change.prepare(store)
    with open_on_disk() as store:
        assert not change.is_in(store)
        change.make(store)
        return disk.after_power_loss()


@pytest.mark.parametrize("kind", Change.changes)
def test_a_change_that_returned_is_kept(
    kind: type[Change], home: SQLiteHome, disk: Disk, open_on_disk: OpenOnDisk, reopen: Callable[[Image], SQLiteStore]
) -> None:
    change = kind(home.clock)
    with reopen(make_after_a_clean_start(change, open_on_disk, disk)) as survivor:
        assert change.is_in(survivor)


@pytest.mark.parametrize("kind", Change.changes)
def test_these_tests_would_notice_a_missing_fsync(
    kind: type[Change],
    home: SQLiteHome,
    disk: Disk,
    open_on_disk: OpenOnDisk,
    reopen: Callable[[Image], SQLiteStore],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    careless = opening._WRITER_PRAGMAS.replace("synchronous = FULL", "synchronous = NORMAL")
    assert careless != opening._WRITER_PRAGMAS
    change = kind(home.clock)
    monkeypatch.setattr(opening, "_WRITER_PRAGMAS", careless)
    image = make_after_a_clean_start(change, open_on_disk, disk)
    monkeypatch.undo()
    with reopen(image) as survivor:
        assert not change.is_in(survivor)


def test_a_new_store_is_kept_from_its_first_account_on(
    home: SQLiteHome, disk: Disk, open_on_disk: OpenOnDisk, reopen: Callable[..., SQLiteStore]
) -> None:
    with open_on_disk() as store:
        ann = sign_up(store, "ann")
        image, sealed, epoch = disk.after_power_loss(), Seal(home.path).read(), store.epoch
    with reopen(image, sealed) as survivor:
        assert survivor.epoch == epoch
        assert names_of(survivor) == ["ann"]
        assert mailbox(survivor, ann) == []


def test_each_message_is_kept_from_its_receipt_on(
    disk: Disk, open_on_disk: OpenOnDisk, reopen: Callable[[Image], SQLiteStore]
) -> None:
    with open_on_disk() as store:
        ann = sign_up(store, "ann")
        for number in range(1, 20):
            send_texts(store, ann, "ann", str(number))
            for survives in (lambda: False, lambda: True, coin(number)):
                with reopen(disk.after_power_loss(survives)) as survivor:
                    assert texts(survivor, ann) == [str(sent) for sent in range(1, number + 1)]


def test_each_threads_message_is_kept_from_its_receipt_on(
    disk: Disk, open_on_disk: OpenOnDisk, reopen: Callable[[Image], SQLiteStore]
) -> None:
    with open_on_disk() as store:
        ann = sign_up(store, "ann")

        def send_some(thread: int) -> list[tuple[str, Image]]:
            images = []
            for number in range(5):
                text = f"{thread} {number}"
                send_texts(store, ann, "ann", text)
                images.append((text, disk.after_power_loss(coin(number))))
            return images

        outcomes = race([partial(send_some, thread) for thread in range(6)])
    for outcome in outcomes:
        assert isinstance(outcome, list)
        for text, image in outcome:
            with reopen(image) as survivor:
                assert text in texts(survivor, ann)
                assert is_gap_free(mailbox(survivor, ann))


def test_power_lost_at_any_sync_loses_nothing_acknowledged(
    disk: Disk, open_on_disk: OpenOnDisk, reopen: Callable[[Image], SQLiteStore]
) -> None:
    acknowledged: list[str] = []
    moments: list[tuple[list[str], Image]] = []

    def remember(_name: str) -> None:
        moments.append((acknowledged.copy(), disk.after_power_loss(coin(len(moments)))))

    with open_on_disk() as store:
        ann = sign_up(store, "ann")

        def send_some(thread: int) -> None:
            for number in range(8):
                send_texts(store, ann, "ann", f"{thread} {number}")
                acknowledged.append(f"{thread} {number}")

        with disk.before("sync", remember):
            race([partial(send_some, thread) for thread in range(4)])
    assert len(moments) >= 8
    for known, image in moments:
        with reopen(image) as survivor:
            assert set(known) <= set(texts(survivor, ann))
            assert is_gap_free(mailbox(survivor, ann))


def test_power_lost_while_a_store_is_made_leaves_files_that_can_be_opened(
    disk: Disk, open_on_disk: OpenOnDisk, reopen: Callable[[Image], SQLiteStore]
) -> None:
    images: list[Image] = []

    def remember(_name: str) -> None:
        images.append(disk.after_power_loss(coin(len(images))))

    with disk.before("write", remember), disk.before("sync", remember), open_on_disk() as store:
        sign_up(store, "ann")
    assert len(images) > 10
    for image in images:
        with reopen(image) as survivor:
            ann = log_in(survivor, "ann") if survivor.account("ann") else sign_up(survivor, "ann")
            send_texts(survivor, ann, "ann", "hello")
            assert texts(survivor, ann) == ["hello"]


def test_messages_outlive_checkpoints(
    disk: Disk, open_on_disk: OpenOnDisk, reopen: Callable[[Image], SQLiteStore]
) -> None:
    moments: list[tuple[int, Image]] = []
    acknowledged = 0
    checkpoint_writes = count()

    def remember_some(name: str) -> None:
        if name.endswith(".db") and next(checkpoint_writes) % 1_000 == 0:
            moments.append((acknowledged, disk.after_power_loss(coin(len(moments)))))

    with open_on_disk() as store, disk.before("write", remember_some):
        ann = sign_up(store, "ann")
        for acknowledged in range(60):  # read by remember_some
            send_texts(store, ann, "ann", str(acknowledged) * (300 << 10))
        moments.append((60, disk.after_power_loss()))
    assert len(moments) > 3
    for known, image in moments:
        with reopen(image) as survivor:
            assert len(mailbox(survivor, ann)) >= known
            assert is_gap_free(mailbox(survivor, ann))
