"""The operations of an administrator mean the same on every store."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from chatbooth_grpc.booth.admin_store import AdminStore, Backup, Finding, MaintenanceFailed, Progress, User, Vacuumed
from chatbooth_grpc.booth.errors import (
    RecipientNotFound,
    SessionInvalid,
    StoreUnavailable,
    UsernameTaken,
    WrongCredentials,
)
from chatbooth_grpc.booth.store import Store
from chatbooth_grpc.booth.tokens import TokenLimits
from tests.contract.stores import (
    Clock,
    Home,
    administration,
    append,
    log_in,
    mailbox,
    names_of,
    new_message,
    new_token_hash,
    retain,
    send_texts,
    sign_up,
    stored_account,
    texts,
)
from tests.store.sqlite.test_copying import largest_file


def user(store: Store, username: str) -> User:
    """Return an account as an administrator sees it."""
    [found] = administration(store).users([username])
    return found


def back_up(store: Store, target: Path, *, force: bool = False) -> Backup:
    """Make a backup."""
    *steps, backup = administration(store).backup(target, force=force)
    assert steps
    assert all(isinstance(step, Progress) for step in steps)
    assert isinstance(backup, Backup)
    return backup


def findings(store: Store) -> list[Finding]:
    """Return the findings of a check."""
    return [item for item in administration(store).check() if isinstance(item, Finding)]


def exported(store: Store, username: str) -> list[dict[str, Any]]:
    """All records about a person, as JSON gives them back."""
    return [json.loads(json.dumps(record)) for record in administration(store).export(username)]


def test_an_administrator_sees_users_with_what_waits_for_them(store: Store, clock: Clock) -> None:
    made = clock()
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    clock.advance(60)
    log_in(store, "ann")
    send_texts(store, bob, "ann", "one", "two", "three")
    store.acknowledge(ann, 1)
    assert administration(store).users(["ann", "nobody", "bob"]) == [
        User("ann", ann.account_id, made, clock(), sessions=2, unacknowledged=2, is_disabled=False),
        User("bob", bob.account_id, made, made, sessions=1, unacknowledged=0, is_disabled=False),
    ]
    store.end_session(bob)
    assert (user(store, "bob").sessions, user(store, "bob").used_time) == (0, 0)


def test_a_disabled_account_has_no_sessions_and_gets_none(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    changed: list[set[int]] = []
    store.watch(lambda mailboxes, _is_idle: changed.append(set(mailboxes)))
    assert administration(store).set_disabled("ann", is_disabled=True) == 1
    assert {ann.mailbox_id} in changed
    with pytest.raises(SessionInvalid):
        mailbox(store, ann)
    assert stored_account(store, "ann").is_disabled
    with pytest.raises(WrongCredentials):
        log_in(store, "ann")
    assert not stored_account(store, "bob").is_disabled
    assert mailbox(store, bob) == []


def test_a_disabled_account_keeps_its_name_and_goes_on_receiving(home: Home) -> None:
    with_admin = home.open()
    sign_up(with_admin, "ann")
    bob = sign_up(with_admin, "bob")
    administration(with_admin).set_disabled("ann", is_disabled=True)
    with_admin.close()
    store = home.open()
    with pytest.raises(UsernameTaken):
        sign_up(store, "ann")
    assert names_of(store) == ["ann", "bob"]
    send_texts(store, bob, "ann", "while you were away")
    assert user(store, "ann").is_disabled
    assert administration(store).set_disabled("ann", is_disabled=False) == 0
    assert texts(store, log_in(store, "ann")) == ["while you were away"]
    store.close()


def test_another_password_ends_every_session(store: Store) -> None:
    ann = sign_up(store, "ann")
    log_in(store, "ann")
    assert administration(store).set_password("ann", "new hash") == 2
    assert stored_account(store, "ann").password_hash == "new hash"
    with pytest.raises(SessionInvalid):
        mailbox(store, ann)


def test_a_user_is_deleted_as_by_itself(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    send_texts(store, bob, "ann", "one", "two")
    deletions: list[str] = []
    store.watch_deletions(lambda: deletions.append("ann"))
    removal = administration(store).delete_user("ann", name_hold=60)
    assert (removal.messages, removal.sessions, deletions) == (2, 1, ["ann"])
    with pytest.raises(SessionInvalid):
        mailbox(store, ann)
    with pytest.raises(UsernameTaken):
        sign_up(store, "ann")
    assert findings(store) == []
    while store.prune_deleted():
        assert findings(store) == []


def test_nobody_is_not_a_user(store: Store) -> None:
    admin = administration(store)
    for act in (
        lambda: admin.set_disabled("nobody", is_disabled=True),
        lambda: admin.set_password("nobody", "hash"),
        lambda: admin.delete_user("nobody", 0),
        lambda: list(admin.export("nobody")),
    ):
        with pytest.raises(RecipientNotFound):
            act()


def test_the_whole_store_is_counted(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    log_in(store, "ann")
    send_texts(store, bob, "ann", "one", "two", "three")
    store.acknowledge(ann, 2)
    assert retain(store, None) == 0
    administration(store).set_disabled("bob", is_disabled=True)
    carol = sign_up(store, "carol")
    send_texts(store, carol, "carol", "gone")
    administration(store).delete_user("carol", name_hold=60)
    counted = administration(store).statistics()
    assert (counted.accounts, counted.disabled, counted.sessions) == (2, 1, 2)
    assert (counted.messages, counted.unacknowledged) == (3, 1)
    assert (counted.mailboxes_to_remove, counted.held_names) == (1, 1)
    assert counted.epoch == store.epoch
    assert counted.file_size > 0
    assert counted.log_size > 0


def test_a_backup_is_a_store_of_that_moment(home: Home, new_home: Any, tmp_path: Path) -> None:
    store = home.open()
    ann = sign_up(store, "ann")
    send_texts(store, ann, "ann", "before")
    backup = back_up(store, tmp_path / "backup.db")
    send_texts(store, ann, "ann", "after")
    store.close()
    assert (backup.path, backup.messages) == (tmp_path / "backup.db", 1)
    assert backup.size == backup.path.stat().st_size
    assert backup.path.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"backup.db"}
    other = new_home()
    backup.path.rename(other.path)
    restored = other.open()
    assert texts(restored, ann) == ["before"]
    assert findings(restored) == []
    restored.close()


def test_a_backup_has_no_change_that_comes_while_it_is_copied(store: Store, tmp_path: Path, new_home: Any) -> None:
    ann = sign_up(store, "ann")
    send_texts(store, ann, "ann", *(f"{number} {'x' * 100_000}" for number in range(200)))
    steps = administration(store).backup(tmp_path / "backup.db", force=False)
    step = next(steps)
    assert isinstance(step, Progress)
    assert 0 < step.done < step.total
    send_texts(store, ann, "ann", "meanwhile")
    *_, backup = steps
    assert isinstance(backup, Backup)
    other = new_home()
    backup.path.rename(other.path)
    restored = other.open()
    assert len(mailbox(restored, ann)) == backup.messages == 200
    restored.close()
    assert len(mailbox(store, ann)) == 201


def test_a_backup_replaces_no_file_unless_it_is_told_to(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "backup.db"
    target.write_text("precious")
    with pytest.raises(MaintenanceFailed, match="exists already"):
        back_up(store, target)
    assert target.read_text() == "precious"
    back_up(store, target, force=True)
    assert target.read_bytes().startswith(b"SQLite format 3")


def test_a_backup_never_replaces_the_store_itself(home: Home, store: Store, tmp_path: Path) -> None:
    sign_up(store, "ann")
    own = home.path  # type: ignore[attr-defined]
    link = tmp_path / "link"
    link.symlink_to(own)
    for target in (own, own.with_name(f"{own.name}-wal"), link):
        with pytest.raises(MaintenanceFailed, match="belongs to the store itself"):
            back_up(store, target, force=True)
    assert names_of(store) == ["ann"]


def test_a_backup_that_is_broken_off_leaves_nothing(store: Store, tmp_path: Path) -> None:
    sign_up(store, "ann")
    steps = administration(store).backup(tmp_path / "backup.db", force=False)
    next(steps)
    assert [path for path in tmp_path.iterdir() if path.is_file()]
    steps.close()  # type: ignore[attr-defined]
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


def test_a_sound_store_passes_its_check(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    send_texts(store, bob, "ann", *map(str, range(20)))
    store.acknowledge(ann, 15)
    assert retain(store, None) == 15
    send_texts(store, ann, "bob", "hello")
    items = list(administration(store).check())
    assert [item for item in items if not isinstance(item, Progress)] == []
    assert items


def test_an_export_says_what_tokens_may_do(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    store.create_token(ann, new_token_hash(), "alerts", TokenLimits(may_send=True, recipient="bob"), 60)
    store.create_token(ann, new_token_hash(), "backup", TokenLimits(may_read=True), 0)
    _, person, alerts, backup = exported(store, "ann")
    assert "may_read" not in person
    assert (alerts["label"], alerts["may_read"], alerts["may_send"]) == ("alerts", False, True)
    assert (alerts["recipient"], alerts["recipient_id"]) == ("bob", bob.account_id)
    assert alerts["expire_time"] > alerts["used_time"]
    assert [backup[name] for name in ("may_read", "may_send", "recipient", "expire_time")] == [True, False, None, None]


def test_an_export_has_all_about_a_person_and_no_secret(store: Store) -> None:
    ann, bob, carol = sign_up(store, "ann"), sign_up(store, "bob"), sign_up(store, "carol")
    send_texts(store, bob, "ann", "to ann", "to ann too")
    send_texts(store, ann, "bob", "from ann")
    send_texts(store, carol, "bob", "a secret of others")
    store.acknowledge(ann, 1)
    assert retain(store, None) == 1
    odd = new_message(ann, "bob", "\x07 odd")
    append(store, [odd._replace(outgoing=odd.outgoing._replace(kind=77))])
    store.set_block(ann, "bob", is_blocked=True)
    records = exported(store, "ann")
    kinds = ["account", "session", "block", "received", "sent", "sent", "received_id"]
    assert [record["record"] for record in records] == kinds
    account, session, block, received, sent, unknown, received_id = records
    assert (account["username"], account["account_id"], account["disabled_time"]) == ("ann", ann.account_id, None)
    assert (session["session_id"], session["cursor"]) == (ann.session_id, 1)
    assert (block["username"], block["account_id"]) == ("bob", bob.account_id)
    assert (received["sequence"], received["sender"], received["text"]) == (2, "bob", "to ann too")
    assert {(each["recipient"], each.get("text"), each.get("kind")) for each in (sent, unknown)} == {
        ("bob", "from ann", None),
        ("bob", None, 77),
    }
    assert received_id["sender"] == "bob"
    shown = json.dumps(records)
    assert "secret" not in shown
    assert "hash of ann" not in shown
    assert not {"token", "hash", "digest", "password"} & {key for record in records for key in record}


def test_a_vacuum_gives_the_free_space_back_and_keeps_everything(home: Home) -> None:
    store = home.open()
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    send_texts(store, bob, "ann", *("x" * 100_000 for _ in range(50)))
    send_texts(store, ann, "bob", "kept")
    store.acknowledge(ann, 50)
    assert retain(store, None) == 50
    store.close()
    store = home.open()
    assert administration(store).statistics().file_size > 5_000_000
    *steps, vacuumed = administration(store).vacuum()
    assert all(isinstance(step, Progress) for step in steps)
    assert isinstance(vacuumed, Vacuumed)
    assert vacuumed.size_after < 500_000
    assert administration(store).statistics().free_size == 0
    send_texts(store, ann, "bob", "after it")
    assert findings(store) == []
    store.close()
    again = home.open()
    assert texts(again, bob) == ["kept", "after it"]
    assert again.epoch == store.epoch
    again.close()


def test_a_vacuum_loses_no_message_that_is_sent_meanwhile(home: Home) -> None:
    store = home.open()
    ann = sign_up(store, "ann")
    send_texts(store, ann, "ann", *("x" * 100_000 for _ in range(100)))
    ended = threading.Event()
    sent: list[str] = []

    def send_on() -> None:
        while not ended.is_set():
            text = f"meanwhile {len(sent)}"
            send_texts(store, ann, "ann", text)
            sent.append(text)

    sender = threading.Thread(target=send_on)
    sender.start()
    for _ in range(3):
        list(administration(store).vacuum())
    ended.set()
    sender.join()
    assert findings(store) == []
    store.close()
    again = home.open()
    assert texts(again, ann)[100:] == sent
    assert again.epoch == store.epoch
    again.close()


def test_a_vacuum_that_cannot_begin_does_not_come_later(home: Home) -> None:
    store = home.open()
    ann = sign_up(store, "ann")
    send_texts(store, ann, "ann", *("x" * 100_000 for _ in range(50)))
    store.acknowledge(ann, 50)
    retain(store, None)
    with home.failing(store), pytest.raises(StoreUnavailable):
        list(administration(store).vacuum())
    send_texts(store, ann, "ann", "later")
    send_texts(store, ann, "ann", "later still")
    assert administration(store).statistics().free_size > 1_000_000
    store.close()


def test_a_full_disk_stops_a_vacuum_and_changes_nothing(home: Home) -> None:
    store = home.open()
    ann = sign_up(store, "ann")
    send_texts(store, ann, "ann", *(f"{number} {'x' * 100_000}" for number in range(50)))
    store.close()
    store = home.open()
    with largest_file(1 << 20), pytest.raises(MaintenanceFailed, match="Nothing was changed"):
        list(administration(store).vacuum())
    send_texts(store, ann, "ann", "after it")
    assert findings(store) == []
    store.close()
    again = home.open()
    assert len(texts(again, ann)) == 51
    assert again.epoch == store.epoch
    again.close()


@pytest.mark.parametrize(
    "begin",
    [
        lambda admin, folder: admin.backup(folder / "backup.db", force=False),
        lambda admin, _: admin.check(),
        lambda admin, _: admin.export("ann"),
    ],
    ids=["backup", "check", "export"],
)
def test_long_work_is_interrupted(
    store: Store, tmp_path: Path, begin: Callable[[AdminStore, Path], Iterator[object]]
) -> None:
    ann = sign_up(store, "ann")
    send_texts(store, ann, "ann", *("x" * 100_000 for _ in range(200)))
    admin = administration(store)
    work = begin(admin, tmp_path)
    next(work)
    admin.interrupt()
    # A query that SQLite has not begun is not interrupted. It ends by itself, or whoever takes the items ends it.
    with suppress(StoreUnavailable):
        list(work)
    assert not list(tmp_path.glob("backup.db*"))
    with pytest.raises(StoreUnavailable):
        list(admin.check())
    send_texts(store, ann, "ann", "the store itself goes on")
