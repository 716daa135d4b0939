"""The rules for an administrator, around the operations on a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chatbooth_grpc.booth.administration import Administration
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import (
    AccountDisabled,
    InvalidPassword,
    InvalidPattern,
    InvalidUsername,
    RecipientNotFound,
    SessionInvalid,
    UsernameTaken,
    WrongCredentials,
)
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    with SQLiteStore(tmp_path / "chatbooth.db") as store:
        yield store


@pytest.fixture
def booth(store: SQLiteStore) -> Booth:
    return Booth(store, passwords=cheap_passwords())


@pytest.fixture
def admin(store: SQLiteStore) -> Administration:
    return Administration(store.administration, name_hold=60, passwords=cheap_passwords())


def test_users_are_found_by_pattern_page_by_page(booth: Booth, admin: Administration) -> None:
    for name in ("ann", "anton", "bob", "anna"):
        booth.sign_up(name, PASSWORD)
    found, token = [], ""
    while True:
        page = admin.users("^an", page_size=2, page_token=token)
        assert len(page.users) <= 2
        found += [user.username for user in page.users]
        token = page.next_page_token
        if not token:
            break
    assert found == ["ann", "anna", "anton"]
    with pytest.raises(InvalidPattern):
        admin.users("(")


def test_a_disabled_account_is_told_only_to_whoever_knows_its_password(booth: Booth, admin: Administration) -> None:
    session = booth.sign_up("ann", PASSWORD)
    assert admin.set_disabled("Ann", is_disabled=True) == 1
    with pytest.raises(SessionInvalid):
        booth.deliver(session.token)
    with pytest.raises(WrongCredentials):
        booth.log_in("ann", "another password")
    with pytest.raises(AccountDisabled):
        booth.log_in("ann", PASSWORD)
    assert admin.set_disabled("ann", is_disabled=True) == 0
    admin.set_disabled("ann", is_disabled=False)
    booth.deliver(booth.log_in("ann", PASSWORD).token)


def test_a_new_password_ends_sessions_and_keeps_the_rules(booth: Booth, admin: Administration) -> None:
    session = booth.sign_up("ann", PASSWORD)
    with pytest.raises(InvalidPassword):
        admin.reset_password("ann", "short")
    booth.deliver(session.token)
    assert admin.reset_password("ANN", "another password") == 1
    with pytest.raises(SessionInvalid):
        booth.deliver(session.token)
    with pytest.raises(WrongCredentials):
        booth.log_in("ann", PASSWORD)
    booth.log_in("ann", "another password")


def test_a_deleted_users_name_is_held(booth: Booth, admin: Administration) -> None:
    booth.sign_up("ann", PASSWORD)
    assert admin.delete("Ann").sessions == 1
    with pytest.raises(UsernameTaken):
        booth.sign_up("ann", PASSWORD)


@pytest.mark.parametrize(
    "act",
    [
        lambda admin, name: admin.set_disabled(name, is_disabled=True),
        lambda admin, name: admin.reset_password(name, PASSWORD),
        lambda admin, name: admin.delete(name),
        lambda admin, name: list(admin.export(name)),
    ],
    ids=["disable", "reset", "delete", "export"],
)
def test_a_user_must_exist(admin: Administration, act: Callable[[Administration, str], object]) -> None:
    with pytest.raises(RecipientNotFound):
        act(admin, "nobody")
    with pytest.raises(InvalidUsername):
        act(admin, "no name")
