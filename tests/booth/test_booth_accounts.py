"""Changing a password and deleting an account, on a booth."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.credentials import Passwords
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    InvalidPassword,
    RecipientNotFound,
    SessionInvalid,
    UsernameTaken,
    WrongCredentials,
    WrongPassword,
)
from chatbooth_grpc.booth.model import Limits, Removal
from tests.booth.acting import (
    SignUp,
    outgoing,
    send_texts,
    texts,
)
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords
from tests.booth.interrupted_store import InterruptedStore
from tests.contract.stores import Clock, rows_of

DAY = 86_400.0


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
