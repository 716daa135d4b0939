"""Administration means the same on a stopped store and through a server's socket."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from chatbooth_grpc.booth.admin_store import Backup, Finding, MaintenanceFailed, Progress, Vacuumed
from chatbooth_grpc.booth.administration import AdminActions, Administration
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import (
    AccountDisabled,
    ChatboothError,
    InvalidInvite,
    InvalidPageToken,
    InvalidPassword,
    InvalidPattern,
    InvalidUsername,
    InviteNotFound,
    InviteRefused,
    RecipientNotFound,
    SessionInvalid,
    WrongCredentials,
)
from chatbooth_grpc.booth.invites import InviteState
from chatbooth_grpc.booth.model import End, EndReason, Limits, Opening, SignUpPolicy
from chatbooth_grpc.client import ChatClient
from chatbooth_grpc.rpc.admin_client import connected
from chatbooth_grpc.rpc.admin_socket import socket_of
from chatbooth_grpc.rpc.server import admin_servicer
from chatbooth_grpc.rpc.server.admin_server import AdminServer
from chatbooth_grpc.store.sqlite.sqlite_place import SQLitePlace
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.booth.cheap_passwords import PASSWORD, cheap_passwords
from tests.contract.stores import Clock, log_in, send_texts, sign_up
from tests.contract.transports import WAYS, transport_to
from tests.waiting import wait_until


@dataclass
class Desk:
    """An open store, its booth, and what an administrator can do to it."""

    path: Path
    store: SQLiteStore
    booth: Booth
    actions: AdminActions


@contextmanager
def directly(administration: Administration, path: Path) -> Iterator[AdminActions]:
    """Act as the command line does on a stopped store."""
    yield administration


@contextmanager
def through_the_socket(administration: Administration, path: Path) -> Iterator[AdminActions]:
    """Act as the command line does while a server runs."""
    server = AdminServer(administration, path)
    server.start()
    try:
        with connected(socket_of(path)) as client:
            yield client
    finally:
        server.stop()


@pytest.fixture(params=[directly, through_the_socket])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    path = tmp_path / "home" / "chatbooth.db"
    path.parent.mkdir()
    passwords = cheap_passwords()
    with SQLiteStore(path) as store:
        administration = Administration(store.administration, name_hold=60, passwords=passwords)
        with request.param(administration, path) as actions:
            yield Desk(path, store, Booth(store, passwords=passwords), actions)


def test_users_are_listed_by_pages(desk: Desk) -> None:
    for name in ("ann", "bob", "carol"):
        desk.booth.sign_up(name, PASSWORD)
    ann = log_in(desk.store, "ann")
    send_texts(desk.store, ann, "ann", "one", "two")
    desk.store.end_session(ann)
    desk.actions.set_disabled("bob", is_disabled=True)
    first = desk.actions.users("", page_size=2)
    second = desk.actions.users("", page_size=2, page_token=first.next_page_token)
    users = [*first.users, *second.users]
    assert [len(first.users), [user.username for user in users]] == [2, ["ann", "bob", "carol"]]
    assert users == desk.store.administration.users(["ann", "bob", "carol"])
    assert [(user.sessions, user.unacknowledged, user.is_disabled) for user in users] == [
        (1, 2, False),
        (0, 0, True),
        (1, 0, False),
    ]
    assert users[1].used_time == 0
    assert desk.actions.users("^c").users == users[2:]


def test_the_store_is_counted(desk: Desk) -> None:
    desk.booth.sign_up("ann", PASSWORD)
    counted = desk.actions.statistics()
    assert counted == desk.store.administration.statistics()
    assert (counted.accounts, counted.epoch) == (1, desk.store.epoch)


def test_the_problem_of_the_store_is_named_while_it_lasts(desk: Desk) -> None:
    assert desk.actions.problem() == ""
    elsewhere = desk.path.rename(desk.path.with_name("elsewhere"))
    wait_until(lambda: f"{desk.path}: no such file" in desk.actions.problem())
    elsewhere.rename(desk.path)
    wait_until(lambda: desk.actions.problem() == "")


def test_an_account_is_disabled_and_enabled(desk: Desk) -> None:
    token = desk.booth.sign_up("ann", PASSWORD).token
    assert desk.actions.set_disabled("Ann", is_disabled=True) == 1
    with pytest.raises(SessionInvalid):
        desk.booth.deliver(token)
    with pytest.raises(AccountDisabled):
        desk.booth.log_in("ann", PASSWORD)
    assert desk.actions.set_disabled("ann", is_disabled=False) == 0
    desk.booth.log_in("ann", PASSWORD)


def test_a_password_is_reset(desk: Desk) -> None:
    desk.booth.sign_up("ann", PASSWORD)
    assert desk.actions.reset_password("ann", "another password") == 1
    desk.booth.log_in("ann", "another password")


def test_a_user_is_deleted(desk: Desk) -> None:
    desk.booth.sign_up("ann", PASSWORD)
    send_texts(desk.store, sign_up(desk.store, "bob"), "ann", "one", "two")
    removal = desk.actions.delete("ann")
    assert (removal.messages, removal.sessions) == (2, 1)
    assert desk.store.account("ann") is None


def test_an_invite_is_made_listed_and_revoked(desk: Desk) -> None:
    code, made = desk.actions.create_invite(3, 60.0, "for Zoë")
    _, endless = desk.actions.create_invite(lifetime=None)
    assert (made.max_uses, made.uses, made.note, made.state) == (3, 0, "for Zoë", InviteState.OPEN)
    assert (made.end_time, endless.end_time, endless.max_uses) == (made.create_time + 60_000_000, None, 1)
    assert desk.actions.invites().invites == [made, endless]
    assert desk.actions.invites().invites == desk.store.administration.invites(0, 9)
    booth = Booth(desk.store, limits=Limits(sign_up=SignUpPolicy.INVITE), passwords=cheap_passwords())
    booth.sign_up("ann", PASSWORD, invite=code)
    desk.actions.revoke_invite(made.invite_id)
    [revoked, _] = desk.actions.invites().invites
    assert (revoked.uses, revoked.state) == (1, InviteState.REVOKED)
    with pytest.raises(InviteRefused):
        booth.sign_up("bob", PASSWORD, invite=code)


def test_invites_are_listed_by_pages(desk: Desk) -> None:
    for _ in range(3):
        desk.actions.create_invite()
    first = desk.actions.invites(page_size=2)
    second = desk.actions.invites(page_size=2, page_token=first.next_page_token)
    pages = [[invite.invite_id for invite in page.invites] for page in (first, second)]
    assert (pages, second.next_page_token) == ([[1, 2], [3]], "")
    third = desk.actions.invites(page_size=3)
    assert (len(third.invites), third.next_page_token) == (3, "")


def test_an_invite_has_defaults(desk: Desk) -> None:
    _, invite = desk.actions.create_invite()
    assert invite.end_time is not None
    assert (invite.max_uses, invite.end_time - invite.create_time) == (1, 7 * 86_400_000_000)


def test_a_person_is_exported(desk: Desk) -> None:
    desk.booth.sign_up("ann", PASSWORD)
    large = "x" * (5 << 20)
    send_texts(desk.store, log_in(desk.store, "ann"), "ann", "hello\n\u2028☃", large)
    records = list(desk.actions.export("ann"))
    assert records == [json.loads(json.dumps(record)) for record in desk.store.administration.export("ann")]
    texts = [record["text"] for record in records if record["record"] == "received"]
    assert texts == ["hello\n\u2028☃", large]


def test_a_backup_is_made_and_verified(desk: Desk, tmp_path: Path) -> None:
    send_texts(desk.store, sign_up(desk.store, "ann"), "ann", "hello")
    *steps, backup = desk.actions.backup(tmp_path / "backup.db", force=False)
    assert steps
    assert all(isinstance(step, Progress) for step in steps)
    assert isinstance(backup, Backup)
    assert (backup.path, backup.messages) == (tmp_path / "backup.db", 1)
    assert backup.size == backup.path.stat().st_size
    assert not [item for item in SQLitePlace(desk.path).verify(backup.path) if isinstance(item, Finding)]
    with pytest.raises(MaintenanceFailed, match="exists already"):
        list(desk.actions.backup(tmp_path / "backup.db", force=False))
    list(desk.actions.backup(tmp_path / "backup.db", force=True))


def test_a_backup_without_a_place_says_why(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(MaintenanceFailed, match=r"Cannot write .*nowhere.*no such file"):
        list(desk.actions.backup(tmp_path / "nowhere" / "backup.db", force=False))


def test_a_store_is_checked(desk: Desk) -> None:
    send_texts(desk.store, sign_up(desk.store, "ann"), "ann", "hello")
    assert not [item for item in desk.actions.check() if isinstance(item, Finding)]
    desk.store._writer.run(lambda transaction: transaction.execute("delete_messages_through", (1, 1)))
    assert [item.check for item in desk.actions.check() if isinstance(item, Finding)] == ["sequences"]


def test_a_store_is_vacuumed(desk: Desk) -> None:
    sign_up(desk.store, "ann")
    *_, done = desk.actions.vacuum()
    assert isinstance(done, Vacuumed)
    assert done.size_after == desk.path.stat().st_size


@pytest.mark.parametrize(
    ("act", "error"),
    [
        (lambda actions: actions.users("("), InvalidPattern),
        (lambda actions: actions.users("", page_token="none"), InvalidPageToken),
        (lambda actions: actions.set_disabled("nobody", is_disabled=True), RecipientNotFound),
        (lambda actions: actions.set_disabled("nobody", is_disabled=False), RecipientNotFound),
        (lambda actions: actions.delete("nobody"), RecipientNotFound),
        (lambda actions: actions.delete("no name"), InvalidUsername),
        (lambda actions: actions.reset_password("nobody", PASSWORD), RecipientNotFound),
        (lambda actions: actions.reset_password("nobody", "short"), InvalidPassword),
        (lambda actions: list(actions.export("nobody")), RecipientNotFound),
        (lambda actions: actions.create_invite(uses=1_000_001), InvalidInvite),
        (lambda actions: actions.create_invite(lifetime=-1.0), InvalidInvite),
        (lambda actions: actions.create_invite(lifetime=0.0), InvalidInvite),
        (lambda actions: actions.create_invite(lifetime=1e11), InvalidInvite),
        (lambda actions: actions.create_invite(note="two\nlines"), InvalidInvite),
        (lambda actions: actions.invites(page_token="none"), InvalidPageToken),
        (lambda actions: actions.revoke_invite(7), InviteNotFound),
        (lambda actions: actions.revoke_invite((1 << 64) - 1), InviteNotFound),
    ],
)
def test_a_refusal_is_the_same(desk: Desk, act: Callable[[AdminActions], object], error: type[ChatboothError]) -> None:
    with pytest.raises(error):
        act(desk.actions)


def test_what_an_administrator_does_is_logged_without_a_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger=admin_servicer.__name__)
    path = tmp_path / "chatbooth.db"
    with SQLiteStore(path) as store:
        sign_up(store, "ann")
        administration = Administration(store.administration, passwords=cheap_passwords())
        with through_the_socket(administration, path) as actions:
            actions.reset_password("ann", "a secret password")
            for name in ("nobody", "a secret password"):
                with pytest.raises(ChatboothError):
                    actions.delete(name)
            code, _ = actions.create_invite(note="a secret note")
            actions.revoke_invite(1)
            actions.invites()
            actions.users()
    lines = [record for record in caplog.records if record.name == admin_servicer.__name__]
    said = [(vars(line)["action"], vars(line).get("account"), vars(line)["outcome"]) for line in lines]
    assert said == [
        ("RESET_PASSWORD", "ann", "OK"),
        ("DELETE_USER", "nobody", "RECIPIENT_NOT_FOUND"),
        ("DELETE_USER", None, "INVALID_USERNAME"),
        ("CREATE_INVITE", None, "OK"),
        ("REVOKE_INVITE", None, "OK"),
    ]
    assert code not in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("way", [way for way in WAYS if way != "booth"])
def test_every_transport_says_that_an_account_is_disabled_and_ends_its_stream(tmp_path: Path, way: str) -> None:
    clock = Clock()
    with (
        SQLiteStore(tmp_path / "chatbooth.db", clock=clock) as store,
        transport_to(store, way, clock) as transport,
    ):
        client = ChatClient(transport, timeout=30)
        token = client.sign_up("ann", PASSWORD).token
        ends: list[EndReason] = []
        with suppress(SessionInvalid):
            for event in transport.listen(token, None):
                if isinstance(event, Opening):
                    actions = Administration(store.administration, passwords=cheap_passwords())
                    assert actions.set_disabled("ann", is_disabled=True) == 1
                elif isinstance(event, End):
                    ends.append(event.reason)
        assert ends == [EndReason.SESSION_ENDED]
        with pytest.raises(AccountDisabled, match="This account is disabled"):
            client.log_in("ann", PASSWORD)
        with pytest.raises(WrongCredentials):
            client.log_in("ann", "another password")
