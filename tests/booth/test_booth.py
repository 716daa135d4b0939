"""Every action, called directly: its effects and its refusals."""

from __future__ import annotations

import os
import threading
import unicodedata
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import argon2
import pytest

from chatbooth_grpc.booth.booth import DEFAULT_BATCH, MAX_BATCH, Booth
from chatbooth_grpc.booth.credentials import Passwords, hash_token, new_token
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    CursorPastEnd,
    EmptyText,
    InvalidMessageId,
    InvalidPageToken,
    InvalidPassword,
    InvalidPattern,
    InvalidPrefix,
    InvalidUsername,
    MessageIdReused,
    RecipientNotFound,
    SessionInvalid,
    StoreUnavailable,
    TextTooLong,
    UsernameTaken,
    WrongCredentials,
    WrongPassword,
)
from chatbooth_grpc.booth.model import Gap, GapReason, Limits, Opening, OutgoingMessage, Receipt, Removal, Session
from chatbooth_grpc.booth.store import NewMessage
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords
from tests.booth.interrupted_store import InterruptedStore
from tests.booth.spies import Argon2Spy, Gate
from tests.contract.stores import Clock, append, rows_of

DAY = 86_400.0
SignUp = Callable[[str], Session]


@pytest.fixture
def sign_up(booth: Booth) -> SignUp:
    """Make an account with the usual password."""
    return lambda username: booth.sign_up(username, PASSWORD)


def outgoing(recipient: str, text: str = "hello", message_id: bytes | None = None) -> OutgoingMessage:
    return OutgoingMessage(recipient, message_id or os.urandom(16), text.encode())


def send_texts(booth: Booth, session: Session, recipient: str, *texts: str) -> None:
    for text in texts:
        booth.send(session.token, outgoing(recipient, text))


def texts(booth: Booth, session: Session, **options: Any) -> list[str]:
    return [message.text for message in booth.deliver(session.token, **options).messages]


def cursor(booth: Booth, session: Session) -> int:
    return booth.deliver(session.token).opening.resumed_after


def change(path: Path, statement: str, *bindings: int | bytes) -> None:
    """Change the store by a connection that the server does not know."""
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(5_000)
    try:
        connection.execute(statement, bindings).fetchall()
    finally:
        connection.close()


def remove_through(path: Path, session: Session, through: int) -> None:
    """Do what retention does: remove a prefix of the session's mailbox."""
    mailbox = "(SELECT mailbox_id FROM mailboxes WHERE account_id = ?)"
    change(path, f"DELETE FROM messages WHERE mailbox_id = {mailbox} AND sequence <= ?", session.account_id, through)
    change(path, "UPDATE mailboxes SET removed_through = ? WHERE account_id = ?", through, session.account_id)


# Signing up


def test_signing_up_returns_a_session_that_works(booth: Booth, store: InterruptedStore) -> None:
    session = booth.sign_up("Ann", PASSWORD)
    assert (session.username, session.epoch, len(session.token)) == ("ann", store.epoch, 16)
    assert booth.list(session.token, "", "", 0, "").usernames == ["ann"]


def test_a_token_and_a_password_are_stored_only_hashed(booth: Booth, store_path: Path) -> None:
    session = booth.sign_up("ann", PASSWORD)
    [held] = [row[2] for row in rows_of(store_path)["sessions"]]
    assert held == hash_token(session.token)
    stored = b"".join(path.read_bytes() for path in store_path.parent.iterdir())
    assert hash_token(session.token) in stored
    assert session.token not in stored
    assert PASSWORD.encode() not in stored


def test_a_username_is_taken_once_whatever_its_case(booth: Booth, sign_up: SignUp, store_path: Path) -> None:
    sign_up("ann")
    before = rows_of(store_path)
    for name in ("ann", "ANN"):
        with pytest.raises(UsernameTaken) as refusal:
            booth.sign_up(name, "another password")
        assert refusal.value.username == "ann"
    assert rows_of(store_path) == before


def test_an_account_made_between_the_look_and_the_commit_keeps_its_name(
    booth: Booth, store: InterruptedStore, passwords: Passwords
) -> None:
    def be_quicker(method: str) -> None:
        if method == "create_account":
            store.before = lambda _: None
            store.create_account("ann", passwords.hash(b"the quicker one"), hash_token(new_token()))

    store.before = be_quicker
    with pytest.raises(UsernameTaken):
        booth.sign_up("ann", PASSWORD)
    assert booth.log_in("ann", "the quicker one").username == "ann"


@pytest.mark.parametrize(
    ("username", "password", "error"),
    [
        ("", PASSWORD, InvalidUsername("username")),
        ("a" * 33, PASSWORD, InvalidUsername("username")),
        ("an n", PASSWORD, InvalidUsername("username")),
        ("ann", "short", InvalidPassword("password", 8, 1024)),
        ("ann", "x" * 1025, InvalidPassword("password", 8, 1024)),
    ],
)
def test_signing_up_refuses_what_is_ill_formed(
    booth: Booth, store_path: Path, username: str, password: str, error: ChatboothError
) -> None:
    before = rows_of(store_path)
    with pytest.raises(type(error)) as refusal:
        booth.sign_up(username, password)
    assert refusal.value.attributes() == error.attributes()
    assert rows_of(store_path) == before


# Logging in


def test_logging_in_opens_another_session(booth: Booth, sign_up: SignUp) -> None:
    first, second = sign_up("ann"), booth.log_in("ANN", PASSWORD)
    assert (first.account_id, first.username) == (second.account_id, second.username)
    assert first.token != second.token
    for session in (first, second):
        assert booth.deliver(session.token).messages == []


def test_logging_in_does_not_ask_how_the_keyboard_composes(booth: Booth) -> None:
    composed = booth.sign_up("ann", unicodedata.normalize("NFC", "pässwört"))
    assert booth.log_in("ann", unicodedata.normalize("NFD", "pässwört")).account_id == composed.account_id


def test_an_unknown_name_and_a_wrong_password_are_refused_alike(booth: Booth, sign_up: SignUp) -> None:
    sign_up("ann")
    refusals = []
    for username, password in [("ann", "wrong password"), ("ben", PASSWORD), ("ann", "x" * 5_000), ("ann", "")]:
        with pytest.raises(WrongCredentials) as refusal:
            booth.log_in(username, password)
        refusals.append((refusal.value.reason, str(refusal.value), refusal.value.attributes()))
    assert len({repr(one) for one in refusals}) == 1


def test_an_unknown_name_takes_as_much_work_as_a_known_one(
    booth: Booth, sign_up: SignUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_up("ann")
    spy = Argon2Spy(monkeypatch)
    for username in ("ann", "ben"):
        with pytest.raises(WrongCredentials):
            booth.log_in(username, "wrong password")
    known, unknown = map(argon2.extract_parameters, spy.verified)
    assert known == unknown


def test_logging_in_refuses_what_is_no_username(booth: Booth) -> None:
    with pytest.raises(InvalidUsername):
        booth.log_in("", PASSWORD)


def test_a_new_session_starts_at_the_accounts_furthest_cursor(booth: Booth, sign_up: SignUp) -> None:
    ann, ben = sign_up("ann"), sign_up("ben")
    other = booth.log_in("ann", PASSWORD)
    send_texts(booth, ben, "ann", "1", "2", "3", "4")
    booth.acknowledge(other.token, 3)
    # Messages that the session acknowledged stay acknowledged.
    booth.log_out(other.token)
    booth.acknowledge(ann.token, 1)
    assert texts(booth, booth.log_in("ann", PASSWORD)) == ["4"]
    assert texts(booth, ann) == ["2", "3", "4"]


def test_a_log_in_renews_a_hash_of_old_parameters(booth: Booth, store: InterruptedStore, clock: Clock) -> None:
    booth.sign_up("ann", PASSWORD)
    stronger = cheap_passwords(time_cost=2)
    Booth(store, passwords=stronger).log_in("ann", PASSWORD)
    account = store.account("ann")
    assert account is not None
    assert not stronger.is_outdated(account.password_hash)
    # The old sessions still read it.
    booth.log_in("ann", PASSWORD)


def test_a_log_in_stands_though_its_hash_cannot_be_renewed(booth: Booth, store: InterruptedStore, clock: Clock) -> None:
    booth.sign_up("ann", PASSWORD)
    store.before = _failing("replace_password_hash")
    session = Booth(store, passwords=cheap_passwords(time_cost=2)).log_in("ann", PASSWORD)
    assert booth.deliver(session.token).messages == []


def test_log_ins_succeed_while_another_renews_the_hash(
    booth: Booth, store: InterruptedStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other log-ins have compared the password with the old hash when the hash is replaced."""
    booth.sign_up("ann", PASSWORD)
    newer = Booth(store, passwords=cheap_passwords(time_cost=2))
    spy, gate = Argon2Spy(monkeypatch), Gate()
    outcomes: list[Session] = []
    spy.during = gate.hold
    others = [
        threading.Thread(target=lambda: outcomes.append(newer.log_in("ann", PASSWORD)), daemon=True)
        for _ in range(os.cpu_count() or 1)
    ]
    for other in others:
        other.start()
    gate.wait_until_reached()
    spy.during = lambda: None
    # It needs a booth of its own, because the held log-ins occupy every turn of the newer booth.
    Booth(store, passwords=cheap_passwords(time_cost=3)).log_in("ann", PASSWORD)
    gate.open()
    for other in others:
        other.join()
    assert len(outcomes) == len(others)
    assert all(booth.deliver(session.token).messages == [] for session in outcomes)


def test_a_log_in_that_the_passwords_change_overtakes_is_refused(
    booth: Booth, store: InterruptedStore, sign_up: SignUp
) -> None:
    ann = sign_up("ann")

    def change_password(method: str) -> None:
        if method == "create_session":
            store.before = lambda _: None
            booth.change_password(ann.token, PASSWORD, "a new password")

    store.before = change_password
    with pytest.raises(WrongCredentials):
        booth.log_in("ann", PASSWORD)


# Sessions


def test_logging_out_ends_that_session_alone(booth: Booth, sign_up: SignUp) -> None:
    first, second = sign_up("ann"), booth.log_in("ann", PASSWORD)
    booth.log_out(first.token)
    for action in every_action(booth, first):
        with pytest.raises(SessionInvalid):
            action()
    assert booth.deliver(second.token).messages == []


def test_a_token_that_was_never_given_out_is_refused(booth: Booth, sign_up: SignUp, store_path: Path) -> None:
    ann = sign_up("ann")
    before = rows_of(store_path)
    for token in (bytes(16), new_token(), b"", hash_token(ann.token), ann.token[:15]):
        for action in every_action(booth, Session(token, ann.account_id, "ann", ann.epoch)):
            with pytest.raises(SessionInvalid):
                action()
    assert rows_of(store_path) == before


def every_action(booth: Booth, session: Session) -> list[Callable[[], object]]:
    """Every action that needs a session."""
    token = session.token
    return [
        partial(booth.list, token, "", "", 0, ""),
        partial(booth.send, token, outgoing("ann")),
        partial(booth.deliver, token),
        partial(booth.acknowledge, token, 0),
        partial(booth.change_password, token, PASSWORD, "a new password"),
        partial(booth.delete, token, PASSWORD),
        partial(booth.authenticated, token),
        partial(booth.log_out, token),
    ]


def test_a_session_expires_unused(booth: Booth, sign_up: SignUp, clock: Clock) -> None:
    used, unused = sign_up("ann"), booth.log_in("ann", PASSWORD)
    for _ in range(40):
        clock.advance(DAY)
        booth.deliver(used.token)
    for action in every_action(booth, unused):
        with pytest.raises(SessionInvalid):
            action()
    booth.deliver(used.token)


def test_a_session_lives_to_its_last_moment(booth: Booth, sign_up: SignUp, clock: Clock) -> None:
    ann = sign_up("ann")
    clock.advance(30 * DAY)
    assert booth.authenticated(ann.token).username == "ann"
    clock.advance(30 * DAY + 0.001)
    with pytest.raises(SessionInvalid):
        booth.authenticated(ann.token)


def test_how_long_a_session_lives_is_a_limit(store: InterruptedStore, clock: Clock) -> None:
    booth = Booth(store, limits=Limits(session_expiry=60.0), passwords=cheap_passwords())
    ann = booth.sign_up("ann", PASSWORD)
    clock.advance(59)
    booth.deliver(ann.token)
    clock.advance(59)
    booth.deliver(ann.token)
    clock.advance(61)
    with pytest.raises(SessionInvalid):
        booth.deliver(ann.token)


def test_a_session_that_listens_does_not_expire(store: InterruptedStore, passwords: Passwords, clock: Clock) -> None:
    listening: set[int] = set()
    booth = Booth(store, passwords=passwords, listens=lambda session: session.session_id in listening)
    ann, other = booth.sign_up("ann", PASSWORD), booth.log_in("ann", PASSWORD)
    listening.add(booth.authenticated(ann.token).session_id)
    store.before = _failing("touch_session")
    clock.advance(31 * DAY)
    assert booth.authenticated(ann.token).username == "ann"
    with pytest.raises(SessionInvalid):
        booth.authenticated(other.token)
    store.before = lambda _method: None
    assert booth.authenticated(ann.token).username == "ann"
    listening.clear()
    clock.advance(29 * DAY)
    assert booth.authenticated(ann.token).username == "ann"


def test_a_session_whose_use_is_to_be_noted_is_not_cached(booth: Booth, sign_up: SignUp, clock: Clock) -> None:
    """Noting the use of a session waits for the disk. The callers of `cached_session` must not wait."""
    ann = sign_up("ann")
    assert booth.cached_session(ann.token) is None
    booth.authenticated(ann.token)
    assert booth.cached_session(ann.token) == booth.authenticated(ann.token)
    clock.advance(1.1 * DAY)
    assert booth.cached_session(ann.token) is None
    booth.authenticated(ann.token)
    # This caches the session as it is now.
    booth.authenticated(ann.token)
    assert booth.cached_session(ann.token) == booth.authenticated(ann.token)


def test_a_sessions_use_is_noted_now_and_then(booth: Booth, sign_up: SignUp, clock: Clock, store_path: Path) -> None:
    ann = sign_up("ann")
    started = clock.now
    clock.advance(0.9 * DAY)
    booth.deliver(ann.token)
    assert booth.authenticated(ann.token).used_time == started
    clock.advance(0.2 * DAY)
    booth.deliver(ann.token)
    assert booth.authenticated(ann.token).used_time == clock.now


def test_an_action_stands_though_its_use_cannot_be_noted(
    booth: Booth, store: InterruptedStore, sign_up: SignUp, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ann = sign_up("ann")
    clock.advance(2 * DAY)
    store.before = _failing("touch_session")
    for _ in range(5):
        assert booth.deliver(ann.token).messages == []
    assert [record.getMessage() for record in caplog.records] == ["the use of sessions is not noted"]


# Changing the password


def test_a_changed_password_counts_and_ends_the_other_sessions(booth: Booth, sign_up: SignUp) -> None:
    ann, others = sign_up("ann"), [booth.log_in("ann", PASSWORD) for _ in range(2)]
    bystander = sign_up("ben")
    assert booth.change_password(ann.token, PASSWORD, "a new password") == 2
    for other in others:
        with pytest.raises(SessionInvalid):
            booth.deliver(other.token)
    for session in (ann, bystander):
        assert booth.deliver(session.token).messages == []
    with pytest.raises(WrongCredentials):
        booth.log_in("ann", PASSWORD)
    booth.log_in("ann", "a new password")


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("wrong password", "a new password", WrongPassword()),
        ("", "a new password", WrongPassword()),
        (PASSWORD, "short", InvalidPassword("new_password", 8, 1024)),
        (PASSWORD, "x" * 1025, InvalidPassword("new_password", 8, 1024)),
    ],
)
def test_a_password_change_refused_changes_nothing(
    booth: Booth, sign_up: SignUp, store_path: Path, old: str, new: str, error: ChatboothError
) -> None:
    ann = sign_up("ann")
    booth.log_in("ann", PASSWORD)
    before = rows_of(store_path)
    with pytest.raises(type(error)) as refusal:
        booth.change_password(ann.token, old, new)
    assert refusal.value.attributes() == error.attributes()
    assert rows_of(store_path) == before


@pytest.mark.parametrize("action", ["change_password", "delete_account"])
def test_a_hash_renewed_meanwhile_is_no_wrong_password(
    booth: Booth, store: InterruptedStore, sign_up: SignUp, clock: Clock, action: str
) -> None:
    ann = sign_up("ann")

    def renew_hash(method: str) -> None:
        if method == action:
            store.before = lambda _: None
            Booth(store, passwords=cheap_passwords(time_cost=2)).log_in("ann", PASSWORD)

    store.before = renew_hash
    if action == "change_password":
        assert booth.change_password(ann.token, PASSWORD, "a new password") == 1
    else:
        assert booth.delete(ann.token, PASSWORD) == Removal(messages=0, sessions=2)


def test_of_two_password_changes_the_later_is_refused(booth: Booth, store: InterruptedStore, sign_up: SignUp) -> None:
    first, second = sign_up("ann"), booth.log_in("ann", PASSWORD)

    def be_quicker(method: str) -> None:
        if method == "change_password":
            store.before = lambda _: None
            booth.change_password(first.token, PASSWORD, "the first's password")

    store.before = be_quicker
    with pytest.raises((SessionInvalid, WrongPassword)):
        booth.change_password(second.token, PASSWORD, "the second's password")
    booth.log_in("ann", "the first's password")


# Deleting


def test_a_deleted_account_is_gone_whole(booth: Booth, sign_up: SignUp) -> None:
    ann, ben = sign_up("ann"), sign_up("ben")
    other = booth.log_in("ann", PASSWORD)
    send_texts(booth, ben, "ann", "1", "2", "3")
    send_texts(booth, ann, "ben", "from ann")
    assert booth.delete(ann.token, PASSWORD) == Removal(messages=3, sessions=2)
    for session in (ann, other):
        with pytest.raises(SessionInvalid):
            booth.deliver(session.token)
    with pytest.raises(WrongCredentials):
        booth.log_in("ann", PASSWORD)
    with pytest.raises(RecipientNotFound):
        booth.send(ben.token, outgoing("ann"))
    assert booth.list(ben.token, "", "", 0, "").usernames == ["ben"]
    [kept] = booth.deliver(ben.token).messages
    assert (kept.text, kept.sender, kept.sender_id) == ("from ann", "ann", ann.account_id)


def test_a_deleted_accounts_name_is_held(booth: Booth, sign_up: SignUp, clock: Clock) -> None:
    booth.delete(sign_up("ann").token, PASSWORD)
    clock.advance(30 * DAY - 1)
    with pytest.raises(UsernameTaken):
        sign_up("ann")
    clock.advance(2)
    assert sign_up("ann").username == "ann"


def test_a_name_that_is_not_held_is_free_at_once_and_inherits_nothing(
    store: InterruptedStore, passwords: Passwords, clock: Clock
) -> None:
    booth = Booth(store, limits=Limits(name_hold=0), passwords=passwords)
    first, ben = booth.sign_up("ann", PASSWORD), booth.sign_up("ben", PASSWORD)
    message = outgoing("ann", "for the first ann")
    booth.send(ben.token, message)
    booth.delete(first.token, PASSWORD)
    second = booth.sign_up("ann", PASSWORD)
    assert second.account_id != first.account_id
    assert texts(booth, second) == []
    # In another mailbox, it is another message.
    booth.send(ben.token, message)
    assert [found.sequence for found in booth.deliver(second.token).messages] == [1]


@pytest.mark.parametrize("password", ["wrong password", "", "x" * 5_000])
def test_deleting_asks_for_the_password_again(booth: Booth, sign_up: SignUp, store_path: Path, password: str) -> None:
    ann = sign_up("ann")
    before = rows_of(store_path)
    with pytest.raises(WrongPassword):
        booth.delete(ann.token, password)
    assert rows_of(store_path) == before


# Listing


def test_listing_finds_searches_and_pages(booth: Booth, sign_up: SignUp) -> None:
    ann = sign_up("ann")
    for name in ("anna", "ben", "hannes", "zoe"):
        sign_up(name)

    def found(pattern: str = "", prefix: str = "", size: int = 0, token: str = "") -> list[str]:
        return booth.list(ann.token, pattern, prefix, size, token).usernames

    assert found() == ["ann", "anna", "ben", "hannes", "zoe"]
    assert found("NN") == ["ann", "anna", "hannes"]
    assert found("^ann.") == ["anna"]
    assert found(prefix="An") == ["ann", "anna"]
    assert found("s$", "h") == ["hannes"]
    assert found("a", "b") == []
    first = booth.list(ann.token, "nn", "", 2, "")
    assert first.usernames == ["ann", "anna"]
    assert found("nn", "", 2, first.next_page_token) == ["hannes"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("(", "", 0, ""), InvalidPattern),
        (("a" * 1_001, "", 0, ""), InvalidPattern),
        (("", "a b", 0, ""), InvalidPrefix),
        (("", "", 0, "garbage"), InvalidPageToken),
    ],
)
def test_listing_refuses_what_is_ill_formed(
    booth: Booth, sign_up: SignUp, arguments: tuple[str, str, int, str], error: type[ChatboothError]
) -> None:
    ann = sign_up("ann")
    with pytest.raises(error):
        booth.list(ann.token, *arguments)


def test_a_page_token_is_good_for_its_prefix_alone(booth: Booth, sign_up: SignUp) -> None:
    ann = sign_up("ann")
    sign_up("anna")
    token = booth.list(ann.token, "", "a", 1, "").next_page_token
    assert booth.list(ann.token, "", "A", 1, token).usernames == ["anna"]
    for pattern, prefix in [("", ""), ("", "an"), ("a", "a")]:
        with pytest.raises(InvalidPageToken):
            booth.list(ann.token, pattern, prefix, 1, token)


# Sending


def test_a_message_is_delivered_as_it_was_sent(booth: Booth, sign_up: SignUp, clock: Clock) -> None:
    ann, ben = sign_up("ann"), sign_up("ben")
    message = outgoing("BEN", "hello\n\0 “π” 漢字 👩‍👩‍👧")
    assert booth.send(ann.token, message) == Receipt(clock.now)
    [found] = booth.deliver(ben.token).messages
    assert (found.sequence, found.sender, found.sender_id) == (1, "ann", ann.account_id)
    assert (found.message_id, found.content, found.accept_time) == (message.message_id, message.content, clock.now)


def test_a_repeated_message_is_stored_once_and_gets_the_first_receipt(
    booth: Booth, sign_up: SignUp, clock: Clock
) -> None:
    ann, ben = sign_up("ann"), sign_up("ben")
    message = outgoing("ben")
    first = booth.send(ann.token, message)
    clock.advance(29 * DAY)
    assert booth.send(ann.token, message) == first
    # An id belongs to the account, and not to the session.
    assert booth.send(booth.log_in("ann", PASSWORD).token, message) == first
    assert texts(booth, ben) == ["hello"]


def test_an_id_is_a_message_of_one_sender_to_one_recipient(booth: Booth, sign_up: SignUp, store_path: Path) -> None:
    ann, ben, zoe = sign_up("ann"), sign_up("ben"), sign_up("zoe")
    message_id = os.urandom(16)
    booth.send(ann.token, outgoing("ben", "one", message_id))
    booth.send(ann.token, outgoing("zoe", "another", message_id))
    booth.send(zoe.token, outgoing("ben", "another's", message_id))
    before = rows_of(store_path)
    with pytest.raises(MessageIdReused):
        booth.send(ann.token, outgoing("ben", "two", message_id))
    assert rows_of(store_path) == before
    assert texts(booth, ben) == ["one", "another's"]


def test_one_may_write_to_oneself(booth: Booth, sign_up: SignUp) -> None:
    ann = sign_up("ann")
    send_texts(booth, ann, "ann", "note")
    assert texts(booth, ann) == ["note"]


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (OutgoingMessage("nobody", os.urandom(16), b"hi"), RecipientNotFound("nobody")),
        (OutgoingMessage("", os.urandom(16), b"hi"), InvalidUsername("recipient")),
        (OutgoingMessage("b" * 33, os.urandom(16), b"hi"), InvalidUsername("recipient")),
        (OutgoingMessage("ann", bytes(16), b"hi"), InvalidMessageId()),
        (OutgoingMessage("ann", b"x" * 15, b"hi"), InvalidMessageId()),
        (OutgoingMessage("ann", os.urandom(16), b""), EmptyText()),
        (OutgoingMessage("ann", os.urandom(16), b"x" * 101), TextTooLong(101, 100)),
    ],
)
def test_sending_refuses_and_stores_nothing(
    store: InterruptedStore, clock: Clock, store_path: Path, message: OutgoingMessage, error: ChatboothError
) -> None:
    booth = Booth(store, limits=Limits(text_size=100), passwords=cheap_passwords())
    ann = booth.sign_up("ann", PASSWORD)
    before = rows_of(store_path)
    with pytest.raises(type(error)) as refusal:
        booth.send(ann.token, message)
    assert refusal.value.attributes() == error.attributes()
    assert rows_of(store_path) == before


def test_a_text_of_the_limits_size_is_sent(store: InterruptedStore, clock: Clock) -> None:
    booth = Booth(store, limits=Limits(text_size=100), passwords=cheap_passwords())
    ann = booth.sign_up("ann", PASSWORD)
    booth.send(ann.token, outgoing("ann", "é" * 50))
    assert [message.text for message in booth.deliver(ann.token).messages] == ["é" * 50]


@pytest.mark.parametrize("action", ["acknowledge", "deliver"])
def test_a_sequence_of_another_epoch_acknowledges_nothing(booth: Booth, sign_up: SignUp, action: str) -> None:
    ann = sign_up("ann")
    send_texts(booth, ann, "ann", "one", "two", "three")
    acknowledge = getattr(booth, action)
    for through in (2, 99):
        acknowledge(ann.token, through, epoch=b"another epoch 16")
        assert cursor(booth, ann) == 0
    acknowledge(ann.token, 1, epoch=ann.epoch)
    assert cursor(booth, ann) == 1
    acknowledge(ann.token, 2)
    assert cursor(booth, ann) == 2


@pytest.mark.parametrize("method", ["append_later", "acknowledge", "after"])
def test_a_session_that_ends_meanwhile_does_nothing_more(
    booth: Booth, store: InterruptedStore, sign_up: SignUp, method: str
) -> None:
    """Each rechecks its session where it takes effect."""
    ann, ben = sign_up("ann"), sign_up("ben")
    send_texts(booth, ben, "ann", "for ann")

    def end_session(called: str) -> None:
        if called == method:
            store.before = lambda _: None
            booth.log_out(ann.token)

    actions: dict[str, Callable[[], object]] = {
        "append_later": partial(booth.send, ann.token, outgoing("ben")),
        "acknowledge": partial(booth.acknowledge, ann.token, 1),
        "after": partial(booth.deliver, ann.token),
    }
    store.before = end_session
    with pytest.raises(SessionInvalid):
        actions[method]()
    assert texts(booth, ben) == []
    assert texts(booth, booth.log_in("ann", PASSWORD)) == ["for ann"]


# Delivering


@pytest.fixture
def ann(booth: Booth, sign_up: SignUp) -> Session:
    """An account in whose mailbox the messages "1" to "5" wait."""
    ann = sign_up("ann")
    send_texts(booth, sign_up("ben"), "ann", *"12345")
    return ann


def test_what_is_not_acknowledged_is_delivered_again(booth: Booth, ann: Session) -> None:
    for _ in range(2):
        delivery = booth.deliver(ann.token)
        assert [message.text for message in delivery.messages] == [*"12345"]
        assert [message.sequence for message in delivery.messages] == [1, 2, 3, 4, 5]
        assert delivery.opening == Opening(ann.epoch, ann.account_id, resumed_after=0, replaying=5)
        assert not delivery.more


def test_acknowledging_comes_before_reading(booth: Booth, ann: Session) -> None:
    delivery = booth.deliver(ann.token, acknowledge_through=2)
    assert [message.text for message in delivery.messages] == [*"345"]
    assert (delivery.opening.resumed_after, delivery.opening.replaying) == (2, 3)
    assert texts(booth, ann) == [*"345"]


def test_cursors_never_go_back(booth: Booth, ann: Session) -> None:
    booth.acknowledge(ann.token, 3)
    booth.acknowledge(ann.token, 3)
    booth.acknowledge(ann.token, 1)
    assert texts(booth, ann, acknowledge_through=2) == [*"45"]
    assert cursor(booth, ann) == 3


def test_reading_after_a_sequence_leaves_the_cursor(booth: Booth, ann: Session) -> None:
    assert texts(booth, ann, after=3) == [*"45"]
    assert texts(booth, ann, after=5) == []
    assert cursor(booth, ann) == 0
    booth.acknowledge(ann.token, 4)
    # A client that lost its messages starts before the cursor.
    assert texts(booth, ann, after=0) == [*"12345"]
    assert texts(booth, ann, acknowledge_through=5, after=2) == [*"345"]
    assert cursor(booth, ann) == 5


def test_each_session_has_a_cursor_of_its_own(booth: Booth, ann: Session) -> None:
    other = booth.log_in("ann", PASSWORD)
    booth.acknowledge(ann.token, 5)
    assert texts(booth, ann) == []
    assert texts(booth, other) == [*"12345"]


@pytest.mark.parametrize("beyond", [6, 2**63, 2**64 - 1])
def test_a_cursor_past_the_end_is_refused(booth: Booth, ann: Session, store_path: Path, beyond: int) -> None:
    before = rows_of(store_path)
    refused: list[Callable[[], object]] = [
        partial(booth.deliver, ann.token, acknowledge_through=beyond),
        partial(booth.deliver, ann.token, after=beyond),
        partial(booth.acknowledge, ann.token, beyond),
    ]
    for call in refused:
        with pytest.raises(CursorPastEnd) as refusal:
            call()
        assert (refusal.value.cursor, refusal.value.end) == (beyond, 5)
    assert rows_of(store_path) == before


def test_a_batch_is_cut_and_says_that_more_waits(booth: Booth, ann: Session) -> None:
    first = booth.deliver(ann.token, max_messages=2)
    assert ([message.text for message in first.messages], first.more) == ([*"12"], True)
    rest = booth.deliver(ann.token, acknowledge_through=2, max_messages=3)
    assert ([message.text for message in rest.messages], rest.more) == ([*"345"], False)


def test_batches_have_a_default_and_a_limit(booth: Booth, sign_up: SignUp, store: InterruptedStore) -> None:
    ann = sign_up("ann")
    session = booth.authenticated(ann.token)
    append(store, [NewMessage(session, outgoing("ann"), bytes(16)) for _ in range(MAX_BATCH + 1)])
    assert len(booth.deliver(ann.token).messages) == DEFAULT_BATCH == 256
    assert len(booth.deliver(ann.token, max_messages=MAX_BATCH + 1).messages) == MAX_BATCH == 1_000
    assert len(booth.deliver(ann.token, max_messages=1).messages) == 1


def test_a_batch_is_cut_at_a_mebibyte_but_holds_one_message(booth: Booth, sign_up: SignUp) -> None:
    ann = sign_up("ann")
    half = "x" * (1 << 19)
    send_texts(booth, ann, "ann", half, half, "y", "z" * (1 << 20), "end")
    sizes = []
    through = 0
    while messages := booth.deliver(ann.token, acknowledge_through=through).messages:
        sizes.append([len(message.content) for message in messages])
        through = messages[-1].sequence
    assert sizes == [[1 << 19, 1 << 19], [1], [1 << 20], [3]]


def test_what_retention_removed_is_named_as_a_gap(booth: Booth, ann: Session, store_path: Path) -> None:
    remove_through(store_path, ann, 3)
    delivery = booth.deliver(ann.token)
    assert delivery.opening.gap == Gap(1, 3, GapReason.RETENTION)
    assert (delivery.opening.resumed_after, delivery.opening.replaying) == (0, 2)
    assert [message.sequence for message in delivery.messages] == [4, 5]
    assert booth.deliver(ann.token, after=2).opening.gap == Gap(3, 3, GapReason.RETENTION)
    assert booth.deliver(ann.token, after=3).opening.gap is None
    # A client can still acknowledge messages that were removed.
    booth.acknowledge(ann.token, 2)
    assert booth.deliver(ann.token).opening.gap == Gap(3, 3, GapReason.RETENTION)


def test_a_mailbox_emptied_by_retention_delivers_its_gap(booth: Booth, ann: Session, store_path: Path) -> None:
    remove_through(store_path, ann, 5)
    delivery = booth.deliver(ann.token)
    assert (delivery.messages, delivery.more) == ([], False)
    assert delivery.opening.gap == Gap(1, 5, GapReason.RETENTION)
    assert delivery.opening.replaying == 0


def test_retention_forgets_no_message_id(booth: Booth, sign_up: SignUp, store_path: Path) -> None:
    ann = sign_up("ann")
    message = outgoing("ann")
    receipt = booth.send(ann.token, message)
    remove_through(store_path, ann, 1)
    assert booth.send(ann.token, message) == receipt
    assert texts(booth, ann) == []


def _failing(method: str) -> Callable[[str], None]:
    def fail(called: str) -> None:
        if called == method:
            raise StoreUnavailable

    return fail
