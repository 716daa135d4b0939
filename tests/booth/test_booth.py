"""The booth's actions on accounts, called directly: their effects and their refusals."""

from __future__ import annotations

import os
import threading
import unicodedata
from pathlib import Path

import argon2
import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.credentials import Passwords, hash_token, new_token
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    InvalidPageToken,
    InvalidPassword,
    InvalidPattern,
    InvalidPrefix,
    InvalidUsername,
    SignUpClosed,
    UsernameReserved,
    UsernameTaken,
    WrongCredentials,
)
from chatbooth_grpc.booth.model import Limits, Session, SignUpPolicy
from tests.booth.acting import (
    SignUp,
    failing,
    send_texts,
    texts,
)
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords
from tests.booth.interrupted_store import InterruptedStore
from tests.booth.spies import Argon2Spy, Gate
from tests.contract.stores import Clock, rows_of

DAY = 86_400.0


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


def test_a_username_is_taken_once_in_any_case(booth: Booth, sign_up: SignUp, store_path: Path) -> None:
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
def test_signing_up_refuses_an_ill_formed_name_or_password(
    booth: Booth, store_path: Path, username: str, password: str, error: ChatboothError
) -> None:
    before = rows_of(store_path)
    with pytest.raises(type(error)) as refusal:
        booth.sign_up(username, password)
    assert refusal.value.attributes() == error.attributes()
    assert rows_of(store_path) == before


def test_a_closed_server_makes_no_account_and_lets_accounts_log_in(
    store: InterruptedStore, store_path: Path, passwords: Passwords
) -> None:
    Booth(store, passwords=passwords).sign_up("ann", PASSWORD)
    booth = Booth(store, limits=Limits(sign_up=SignUpPolicy.CLOSED), passwords=passwords)
    before = rows_of(store_path)
    for username in ("ben", "ann"):
        with pytest.raises(SignUpClosed):
            booth.sign_up(username, PASSWORD)
    assert rows_of(store_path) == before
    booth.acknowledge(booth.log_in("ann", PASSWORD).token, 0)


def test_a_reserved_name_is_refused_in_any_case_and_stays_with_the_account_that_has_it(
    store: InterruptedStore, passwords: Passwords
) -> None:
    Booth(store, passwords=passwords).sign_up("root", PASSWORD)
    booth = Booth(store, limits=Limits(reserved_names=frozenset({"root", "admin"})), passwords=passwords)
    for username in ("admin", "ADMIN", "root"):
        with pytest.raises(UsernameReserved) as refused:
            booth.sign_up(username, PASSWORD)
        assert refused.value.username == username.lower()
    booth.acknowledge(booth.log_in("Root", PASSWORD).token, 0)
    booth.sign_up("administrators", PASSWORD)


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


def test_an_unknown_name_and_a_wrong_password_get_the_same_refusal(booth: Booth, sign_up: SignUp) -> None:
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


def test_logging_in_refuses_an_ill_formed_username(booth: Booth) -> None:
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
    store.before = failing("replace_password_hash")
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
def test_listing_refuses_ill_formed_arguments(
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
