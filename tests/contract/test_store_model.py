"""A store against a model in dictionaries, with actions and reopenings in any order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chatbooth_grpc.booth.errors import (
    Blocked,
    ChatboothError,
    CursorPastEnd,
    InviteRefused,
    MessageIdReused,
    NotPermitted,
    RecipientNotFound,
    SessionInvalid,
    UsernameTaken,
    WrongCredentials,
    WrongPassword,
)
from chatbooth_grpc.booth.invites import InviteState
from chatbooth_grpc.booth.model import Message, Receipt, Removal
from chatbooth_grpc.booth.store import NewMessage, StoredAccount, StoredSession
from chatbooth_grpc.booth.tokens import TokenLimits
from tests.contract.stores import (
    Home,
    administration,
    append,
    make_invite,
    names_of,
    new_message,
    new_token_hash,
    retain,
    sign_up_with,
)

NAMES = st.sampled_from(["ann", "bob", "a_b"])
MESSAGE_IDS = st.sampled_from([bytes([number] * 16) for number in (1, 2, 3)])
TEXTS = st.sampled_from(["tea?", "no", "x" * 50])
HASHES = st.sampled_from(["one", "two", "three"])
HOLDS = st.sampled_from([0.0, 10.0, 1000.0])
SEQUENCES = st.integers(0, 12)


@dataclass(frozen=True)
class Token:
    """A token in the model. It may have ended: then the account has no cursor of it."""

    limits: TokenLimits
    recipient_id: int
    expire_time: int | None


@dataclass
class Account:
    """A live account in the model."""

    account_id: int
    password_hash: str
    cursors: dict[bytes, int] = field(default_factory=dict)
    tokens: dict[bytes, Token] = field(default_factory=dict)
    used_times: dict[bytes, int] = field(default_factory=dict)
    furthest: int = 0
    mailbox: list[Message] = field(default_factory=list)
    removed: int = 0
    accepted: dict[tuple[int, bytes], tuple[bytes, Receipt]] = field(default_factory=dict)
    blocked: set[str] = field(default_factory=set)

    @property
    def reading_cursors(self) -> list[int]:
        """The cursors of the sessions and tokens that may read."""
        senders = {token_hash for token_hash, token in self.tokens.items() if not token.limits.may_read}
        return [cursor for token_hash, cursor in self.cursors.items() if token_hash not in senders]


@dataclass
class Invitation:
    """An invite in the model."""

    code_hash: bytes
    max_uses: int
    end: int | None
    uses: int = 0
    is_revoked: bool = False

    def is_good(self, now: int) -> bool:
        """Whether somebody may sign up with it."""
        return not self.is_revoked and self.uses < self.max_uses and (self.end is None or now < self.end)


@dataclass(frozen=True)
class Device:
    """A session that was opened once. It may have ended since."""

    token_hash: bytes
    session: StoredSession


class StoreMachine(RuleBasedStateMachine):
    """Does everything to a store and to the model, and compares."""

    devices: Bundle[Device] = Bundle("devices")

    def __init__(self, new_home: Callable[[], Home]) -> None:
        super().__init__()
        self.home = new_home()
        self.store = self.home.open()
        self.epoch = self.store.epoch
        self.accounts: dict[str, Account] = {}
        self.held: dict[str, int] = {}
        self.used_ids: set[int] = set()
        self.invites: list[Invitation] = []

    def teardown(self) -> None:
        self.store.close()

    def live(self, device: Device) -> Account | None:
        """Return the account of a device whose session has not ended."""
        account = self.accounts.get(device.session.username)
        return account if account is not None and device.token_hash in account.cursors else None

    def owner(self, device: Device) -> Account | None:
        """Return the account of a device, whether its session has ended or not."""
        account = self.accounts.get(device.session.username)
        is_same = account is not None and account.account_id == device.session.account_id
        return account if is_same else None

    def open_session(self, account: Account, session: StoredSession, token_hash: bytes) -> Device:
        assert session.account_id == account.account_id
        assert session.cursor == account.furthest
        assert session.used_time == self.home.clock.now
        account.cursors[token_hash] = session.cursor
        account.used_times[token_hash] = session.used_time
        return Device(token_hash, session)

    @initialize(target=devices)
    def first_account(self) -> MultipleResults[Device]:
        """Begin with two devices, since a message that only one of them has acknowledged is the case to find."""
        first = self.made_account("ann", "one")
        second = self.log_in(first, "one")
        assert isinstance(second, Device)
        return multiple(first, second)

    @rule(target=devices, name=NAMES, password_hash=HASHES)
    def sign_up(self, name: str, password_hash: str) -> Device | MultipleResults[Device]:
        if name in self.accounts or self.held.get(name, 0) > self.home.clock.now:
            with pytest.raises(UsernameTaken):
                self.store.create_account(name, password_hash, new_token_hash())
            return multiple()
        return self.made_account(name, password_hash)

    def made_account(self, name: str, password_hash: str, invite_hash: bytes | None = None) -> Device:
        token_hash = new_token_hash()
        session = self.store.create_account(name, password_hash, token_hash, "", invite_hash)
        # A repeat changes nothing.
        assert self.store.create_account(name, password_hash, token_hash, "", invite_hash) == session
        assert session.account_id not in self.used_ids
        self.used_ids.add(session.account_id)
        self.accounts[name] = Account(session.account_id, password_hash)
        return self.open_session(self.accounts[name], session, token_hash)

    @rule(max_uses=st.integers(1, 2), lifetime=st.sampled_from([None, 10.0, 1000.0]))
    def create_invite(self, max_uses: int, lifetime: float | None) -> None:
        code_hash = make_invite(self.store, max_uses=max_uses, lifetime=lifetime)
        end = None if lifetime is None else self.home.clock.now + round(lifetime * 1_000_000)
        self.invites.append(Invitation(code_hash, max_uses, end))

    @precondition(lambda self: self.invites)
    @rule(number=st.integers(0, 9))
    def revoke_invite(self, number: int) -> None:
        number %= len(self.invites)
        administration(self.store).revoke_invite(number + 1)
        self.invites[number].is_revoked = True

    @precondition(lambda self: self.invites)
    @rule(target=devices, name=NAMES, number=st.integers(0, 9))
    def sign_up_with_an_invite(self, name: str, number: int) -> Device | MultipleResults[Device]:
        invite = self.invites[number % len(self.invites)]
        is_taken = name in self.accounts or self.held.get(name, 0) > self.home.clock.now
        if not invite.is_good(self.home.clock.now) or is_taken:
            error = UsernameTaken if invite.is_good(self.home.clock.now) else InviteRefused
            with pytest.raises(error):
                sign_up_with(self.store, name, invite.code_hash)
            return multiple()
        invite.uses += 1
        return self.made_account(name, "one", invite.code_hash)

    @invariant()
    def invites_are_as_known(self) -> None:
        now = self.home.clock.now
        found = administration(self.store).invites(0, 1_000)
        assert [invite.uses for invite in found] == [invite.uses for invite in self.invites]
        are_open = [invite.state is InviteState.OPEN for invite in found]
        assert are_open == [invite.is_good(now) for invite in self.invites]

    @rule(target=devices, device=devices, password_hash=HASHES)
    def log_in(self, device: Device, password_hash: str) -> Device | MultipleResults[Device]:
        token_hash = new_token_hash()
        session = device.session
        believed = StoredAccount(session.account_id, session.username, password_hash)
        account = self.owner(device)
        if account is None or account.password_hash != password_hash:
            with pytest.raises(WrongCredentials):
                self.store.create_session(believed, token_hash)
            return multiple()
        opened = self.store.create_session(believed, token_hash)
        return self.open_session(account, opened, token_hash)

    @rule(
        target=devices,
        device=devices,
        may_read=st.booleans(),
        recipient=st.none() | NAMES,
        lifetime=st.sampled_from([0, 10, 1000]),
    )
    def create_token(
        self, device: Device, may_read: bool, recipient: str | None, lifetime: int
    ) -> Device | MultipleResults[Device]:
        account, token_hash = self.live(device), new_token_hash()
        limits = TokenLimits(may_read, recipient is not None or not may_read, recipient or "")
        if account is None or (recipient and recipient not in self.accounts):
            with pytest.raises(SessionInvalid if account is None else RecipientNotFound):
                self.store.create_token(device.session, token_hash, token_hash.hex(), limits, lifetime)
            return multiple()
        session = self.store.create_token(device.session, token_hash, token_hash.hex(), limits, lifetime)
        assert self.store.create_token(device.session, token_hash, token_hash.hex(), limits, lifetime) == session
        end = self.home.clock.now + lifetime * 1_000_000 if lifetime else None
        recipient_id = self.accounts[recipient].account_id if recipient else 0
        account.tokens[token_hash] = Token(limits, recipient_id, end)
        assert session.limits is not None
        assert session.limits.limits == limits._replace(recipient_id=recipient_id)
        return self.open_session(account, session, token_hash)

    @rule(limit=st.integers(1, 3))
    def expire_tokens(self, limit: int) -> None:
        expired = [
            (account, token_hash)
            for account in self.accounts.values()
            for token_hash, token in account.tokens.items()
            if token_hash in account.cursors
            and token.expire_time is not None
            and token.expire_time <= self.home.clock.now
        ]
        assert self.store.expire_tokens(self.home.clock.now, limit) == min(limit, len(expired))
        for account, token_hash in expired:
            if len(expired) <= limit or self.store.session(token_hash) is None:
                del account.cursors[token_hash]

    @rule(device=devices)
    def log_out(self, device: Device) -> None:
        self.store.end_session(device.session)
        account = self.live(device)
        if account is not None:
            del account.cursors[device.token_hash]

    @rule(device=devices, old=HASHES, new=HASHES)
    def change_password(self, device: Device, old: str, new: str) -> None:
        session = device.session
        believed = StoredAccount(session.account_id, session.username, old)
        account = self.live(device)
        if account is None or account.password_hash != old:
            with pytest.raises(SessionInvalid if account is None else WrongPassword):
                self.store.change_password(session, believed, new)
            return
        kept = {token_hash for token_hash in account.cursors if token_hash in account.tokens} | {device.token_hash}
        assert self.store.change_password(session, believed, new) == len(account.cursors.keys() - kept)
        account.password_hash = new
        account.cursors = {token_hash: account.cursors[token_hash] for token_hash in kept}

    @rule(device=devices, old=HASHES, new=HASHES)
    def replace_password_hash(self, device: Device, old: str, new: str) -> None:
        session = device.session
        believed = StoredAccount(session.account_id, session.username, old)
        self.store.replace_password_hash(believed, new)
        account = self.owner(device)
        if account is not None and account.password_hash == old:
            account.password_hash = new

    @rule(device=devices, password_hash=HASHES, hold=HOLDS)
    def delete_account(self, device: Device, password_hash: str, hold: float) -> None:
        session = device.session
        believed = StoredAccount(session.account_id, session.username, password_hash)
        account = self.live(device)
        if account is None or account.password_hash != password_hash:
            with pytest.raises(SessionInvalid if account is None else WrongPassword):
                self.store.delete_account(session, believed, hold)
            return
        removal = self.store.delete_account(session, believed, hold)
        assert removal == Removal(len(account.mailbox) - account.removed, len(account.cursors))
        del self.accounts[session.username]
        for other in self.accounts.values():
            other.blocked.discard(session.username)
        self.held[session.username] = self.home.clock.now + round(hold * 1_000_000)

    @rule(batch=st.lists(st.tuples(devices, NAMES, TEXTS, MESSAGE_IDS), min_size=1, max_size=4))
    def append(self, batch: list[tuple[Device, str, str, bytes]]) -> None:
        news = [new_message(device.session, name, text, message_id) for device, name, text, message_id in batch]
        outcomes = append(self.store, news)
        expected = [self.appended(device, new) for (device, *_), new in zip(batch, news, strict=True)]
        assert [type(outcome) if isinstance(outcome, ChatboothError) else outcome for outcome in outcomes] == expected

    def appended(self, device: Device, new: NewMessage) -> Receipt | type[ChatboothError]:
        """Append a message to the model's mailbox."""
        if self.live(device) is None:
            return SessionInvalid
        recipient = self.accounts.get(new.outgoing.recipient)
        if not self.is_permitted(device, recipient):
            return NotPermitted
        if recipient is None:
            return RecipientNotFound
        key = (device.session.account_id, new.outgoing.message_id)
        if key in recipient.accepted:
            content, receipt = recipient.accepted[key]
            return receipt if content == new.outgoing.content else MessageIdReused
        if device.session.username in recipient.blocked:
            return Blocked
        receipt = Receipt(self.home.clock.now)
        recipient.accepted[key] = (new.outgoing.content, receipt)
        recipient.mailbox.append(
            Message(
                len(recipient.mailbox) + 1,
                device.session.username,
                device.session.account_id,
                new.outgoing.message_id,
                receipt.accept_time,
                new.outgoing.content,
            )
        )
        return receipt

    def is_permitted(self, device: Device, recipient: Account | None) -> bool:
        """Say whether a device may send to an account, which may not exist."""
        account = self.accounts[device.session.username]
        token = account.tokens.get(device.token_hash)
        if token is None:
            return True
        is_recipient = recipient is not None and recipient.account_id == token.recipient_id
        return token.limits.may_send and (token.recipient_id == 0 or is_recipient)

    @rule(device=devices, name=NAMES, is_blocked=st.booleans())
    def set_block(self, device: Device, name: str, is_blocked: bool) -> None:
        account = self.live(device)
        if account is None or name not in self.accounts:
            with pytest.raises(SessionInvalid if account is None else RecipientNotFound):
                self.store.set_block(device.session, name, is_blocked=is_blocked)
            return
        self.store.set_block(device.session, name, is_blocked=is_blocked)
        (account.blocked.add if is_blocked else account.blocked.discard)(name)
        assert self.store.blocked_usernames(device.session, "", 9).decode().split() == sorted(account.blocked)

    @rule(device=devices, through=SEQUENCES)
    def acknowledge(self, device: Device, through: int) -> None:
        account = self.live(device)
        if account is None or through > len(account.mailbox):
            with pytest.raises(SessionInvalid if account is None else CursorPastEnd):
                self.store.acknowledge(device.session, through)
            return
        self.store.acknowledge(device.session, through)
        account.cursors[device.token_hash] = max(account.cursors[device.token_hash], through)
        account.furthest = max(account.furthest, through)

    @rule(
        device=devices,
        sequence=SEQUENCES,
        max_messages=st.integers(1, 4),
        max_size=st.sampled_from([1, 6, 54, 1000]),
    )
    def read(self, device: Device, sequence: int, max_messages: int, max_size: int) -> None:
        account = self.live(device)
        if account is None or sequence > len(account.mailbox):
            with pytest.raises(SessionInvalid if account is None else CursorPastEnd):
                self.store.after(device.session, sequence, max_messages, max_size)
            return
        batch = self.store.after(device.session, sequence, max_messages, max_size)
        count = max(1, len(batch.messages))
        rest = account.mailbox[max(sequence, account.removed) :]
        assert batch.messages == rest[:count]
        assert (batch.last_sequence, batch.removed_through) == (len(account.mailbox), account.removed)
        assert batch.cursor == account.cursors[device.token_hash]
        size = sum(len(message.content) for message in rest[:count])
        assert len(batch.messages) <= max_messages
        assert size <= max_size or count == 1
        if rest[count:] and count < max_messages:
            assert size + len(rest[count].content) > max_size, "one more message would have fitted"

    @rule(device=devices, text=TEXTS, message_id=MESSAGE_IDS)
    def send_oneself_and_acknowledge(self, device: Device, text: str, message_id: bytes) -> None:
        """Let a device acknowledge the newest message. Retention needs that, and it seldom happens at random."""
        self.append([(device, device.session.username, text, message_id)])
        account = self.owner(device)
        self.acknowledge(device, len(account.mailbox) if account else 1)

    @rule()
    def prune_deleted(self) -> None:
        while self.store.prune_deleted():
            pass

    @rule(age=st.sampled_from([None, -0.000001, 9.0, 400.0]))
    def retain(self, age: float | None) -> None:
        before = None if age is None else self.home.clock.now - round(age * 1_000_000)
        was_removed = sum(account.removed for account in self.accounts.values())
        for account in self.accounts.values():
            end = min(account.reading_cursors, default=account.furthest) if before is None else account.furthest
            while account.removed < end and (before is None or account.mailbox[account.removed].accept_time < before):
                account.removed += 1
        expected = sum(account.removed for account in self.accounts.values()) - was_removed
        # Otherwise retention may remove messages of deleted accounts, too.
        self.prune_deleted()
        assert retain(self.store, before) == expected

    @rule(device=devices)
    def touch(self, device: Device) -> None:
        self.store.touch_session(device.session)
        account = self.live(device)
        if account is not None:
            account.used_times[device.token_hash] = self.home.clock.now

    @rule(unused_for=st.sampled_from([0.000001, 9.0, 400.0]), limit=st.sampled_from([1, 100]))
    def expire_sessions(self, unused_for: float, limit: int) -> None:
        since = self.home.clock.now - round(unused_for * 1_000_000)
        unused = [
            (account, token_hash)
            for account in self.accounts.values()
            for token_hash in account.cursors.keys() - account.tokens.keys()
            if account.used_times[token_hash] < since
        ]
        assert self.store.expire_sessions(since, limit) == min(limit, len(unused))
        gone = [(account, token_hash) for account, token_hash in unused if self.store.session(token_hash) is None]
        assert len(gone) == min(limit, len(unused))
        for account, token_hash in gone:
            del account.cursors[token_hash]

    @rule(seconds=st.sampled_from([0.000001, 9.0, 500.0]))
    def wait(self, seconds: float) -> None:
        self.home.clock.advance(seconds)

    @precondition(lambda self: self.accounts)
    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = self.home.open()
        assert self.store.epoch == self.epoch

    @rule(device=devices)
    def session_is_as_known(self, device: Device) -> None:
        found = self.store.session(device.token_hash)
        account = self.live(device)
        if account is None:
            assert found is None
        else:
            assert found is not None
            assert found.session_id == device.session.session_id
            assert self.store.after(found, None, 0, 0).cursor == account.cursors[device.token_hash]
            assert found.used_time == account.used_times[device.token_hash]

    @invariant()
    def accounts_are_as_known(self) -> None:
        assert names_of(self.store) == sorted(self.accounts)
        for name, account in self.accounts.items():
            known = StoredAccount(account.account_id, name, account.password_hash)
            assert self.store.account(name) == known


def test_a_store_does_what_its_model_does(new_home: Callable[[], Home]) -> None:
    class Machine(StoreMachine):
        def __init__(self) -> None:
            super().__init__(new_home)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
