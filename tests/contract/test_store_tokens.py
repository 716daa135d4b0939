"""Tokens: what each may do, which ends them and which does not, and that they never reach another recipient."""

from __future__ import annotations

import os

import pytest

from chatbooth_grpc.booth.errors import (
    Blocked,
    LimitReached,
    MessageIdReused,
    NotPermitted,
    RecipientNotFound,
    SessionInvalid,
    TokenNameTaken,
)
from chatbooth_grpc.booth.lane import Lane
from chatbooth_grpc.booth.model import Receipt, SessionKind
from chatbooth_grpc.booth.store import MAX_SESSIONS, Store, StoredSession
from chatbooth_grpc.booth.tokens import MAX_TOKENS, TokenLimits
from tests.contract.racing import race
from tests.contract.stores import (
    PLENTY,
    Clock,
    Home,
    administration,
    append,
    delete,
    log_in,
    mailbox,
    new_message,
    new_token_hash,
    retain,
    send,
    send_texts,
    sign_up,
    stored_account,
    texts,
)

ID = b"\x07" * 16
READER = TokenLimits(may_read=True)
SENDER = TokenLimits(may_send=True)


def make(
    store: Store, session: StoredSession, limits: TokenLimits, lifetime: int = 0, token_hash: bytes | None = None
) -> StoredSession:
    """Make a token of a new name."""
    return store.create_token(session, token_hash or new_token_hash(), os.urandom(4).hex(), limits, lifetime)


def to(username: str) -> TokenLimits:
    """Limits that allow to send to one account."""
    return TokenLimits(may_send=True, recipient=username)


def test_a_token_sends_to_its_recipient_alone(store: Store) -> None:
    ann, bob, cy = (sign_up(store, name) for name in ("ann", "bob", "cy"))
    token = make(store, ann, to("bob"))
    recipients = ["bob", "cy", "nobody", "ann", "bob"]
    outcomes = append(store, [new_message(token, recipient) for recipient in recipients])
    assert [type(outcome) for outcome in outcomes] == [Receipt, NotPermitted, NotPermitted, NotPermitted, Receipt]
    refusal = outcomes[1]
    assert isinstance(refusal, NotPermitted)
    assert (refusal.permitted, refusal.recipient) == ("SEND_TO", "bob")
    assert [message.sender for message in mailbox(store, bob)] == ["ann", "ann"]
    assert mailbox(store, cy) == mailbox(store, ann) == []


def test_a_refused_message_does_not_fail_its_lane(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    token, lane = make(store, ann, to("bob")), Lane()
    messages = [new_message(token, recipient)._replace(lane=lane) for recipient in ("ann", "bob")]
    assert [type(outcome) for outcome in append(store, messages)] == [NotPermitted, Receipt]
    assert [type(outcome) for outcome in append(store, messages[1:])] == [Receipt]
    assert len(mailbox(store, bob)) == 1


def test_a_reader_sends_nothing_and_a_sender_without_a_recipient_sends_to_anyone(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    with pytest.raises(NotPermitted):
        send(store, new_message(make(store, ann, READER), "bob"))
    sender = make(store, ann, SENDER)
    send_texts(store, sender, "bob", "one")
    send_texts(store, sender, "ann", "two")
    with pytest.raises(RecipientNotFound):
        send(store, new_message(sender, "nobody"))
    assert (texts(store, bob), texts(store, ann)) == (["one"], ["two"])


def test_a_retry_gets_its_first_receipt_and_another_recipient_never_does(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    sign_up(store, "cy")
    token = make(store, ann, to("bob"))
    first = send(store, new_message(token, "bob", "hello", ID))
    assert send(store, new_message(token, "bob", "hello", ID)) == first
    assert send(store, new_message(ann, "bob", "hello", ID)) == first
    with pytest.raises(MessageIdReused):
        send(store, new_message(token, "bob", "other", ID))
    # The account itself has sent this, and its token must not even learn that.
    send(store, new_message(ann, "cy", "hello", ID))
    with pytest.raises(NotPermitted):
        send(store, new_message(token, "cy", "hello", ID))
    assert texts(store, bob) == ["hello"]


def test_an_account_that_takes_the_name_of_the_recipient_is_not_the_recipient(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    token_hash = new_token_hash()
    token = make(store, ann, to("bob"), token_hash=token_hash)
    send(store, new_message(token, "bob", "hello", ID))
    delete(store, bob)
    with pytest.raises(NotPermitted):
        send(store, new_message(token, "bob", "hello", ID))
    other = sign_up(store, "bob")
    found = store.session(token_hash)
    assert found is not None
    for session in (token, found):
        with pytest.raises(NotPermitted):
            send(store, new_message(session, "bob", "hello", ID))
    with pytest.raises(NotPermitted, match="an account that is deleted"):
        send(store, new_message(found, "ann"))
    assert texts(store, other) == []
    [_, entry] = store.sessions_of(ann, 0, PLENTY)
    assert entry.limits == TokenLimits(may_send=True, recipient="", recipient_id=bob.account_id)


def test_blocks_hold_for_tokens(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    token = make(store, ann, to("bob"))
    store.set_block(bob, "ann", is_blocked=True)
    with pytest.raises(Blocked):
        send(store, new_message(token, "bob"))


def test_a_token_reads_with_a_cursor_of_its_own(store: Store) -> None:
    ann = sign_up(store, "ann")
    token_hash = new_token_hash()
    send_texts(store, ann, "ann", "one", "two", "three")
    store.acknowledge(ann, 1)
    token = make(store, ann, READER, token_hash=token_hash)
    assert token.cursor == 1
    store.acknowledge(token, 2)
    assert store.after(token, None, PLENTY, PLENTY).cursor == 2
    assert store.after(ann, None, PLENTY, PLENTY).cursor == 1
    found = store.session(token_hash)
    assert found is not None
    assert (found.limits, found.mailbox_id) == (token.limits, ann.mailbox_id)


def test_tokens_are_listed_with_their_limits(store: Store, clock: Clock) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    begun = store.clock.now()
    store.create_token(ann, new_token_hash(), "alerts", TokenLimits(may_read=True, may_send=True, recipient="bob"), 60)
    store.create_token(ann, new_token_hash(), "backup", READER, 0)
    person, alerts, backup = store.sessions_of(ann, 0, PLENTY)
    assert (person.kind, person.limits, person.expire_time) == (SessionKind.PERSON, None, 0)
    assert (alerts.label, alerts.kind, alerts.is_current) == ("alerts", SessionKind.TOKEN, False)
    assert alerts.limits == TokenLimits(True, True, "bob", bob.account_id)
    assert alerts.expire_time == begun + 60_000_000
    assert (backup.label, backup.limits, backup.expire_time) == ("backup", READER, 0)


def test_a_repeat_makes_no_second_token(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    token_hash = new_token_hash()
    first = store.create_token(ann, token_hash, "alerts", to("bob"), 60)
    assert store.create_token(ann, token_hash, "alerts", to("bob"), 60) == first
    for session, label, limits in ((ann, "other", to("bob")), (ann, "alerts", READER), (bob, "alerts", to("bob"))):
        with pytest.raises(SessionInvalid) as refused:
            store.create_token(session, token_hash, label, limits, 60)
        assert refused.value.problem == "IN_USE"
    with pytest.raises(TokenNameTaken):
        store.create_token(ann, new_token_hash(), "alerts", READER, 0)
    store.create_token(bob, new_token_hash(), "alerts", READER, 0)
    assert [entry.label for entry in store.sessions_of(ann, 0, PLENTY)] == ["", "alerts"]
    with pytest.raises(RecipientNotFound):
        make(store, ann, to("nobody"))


def test_a_name_is_free_again_when_its_token_has_ended(store: Store) -> None:
    ann = sign_up(store, "ann")
    first = store.create_token(ann, new_token_hash(), "alerts", READER, 0)
    store.end_session_of(ann, first.session_id)
    assert store.create_token(ann, new_token_hash(), "alerts", READER, 0).session_id > first.session_id


def test_a_log_in_with_the_secret_of_a_token_opens_no_session(store: Store) -> None:
    ann, token_hash = sign_up(store, "ann"), new_token_hash()
    make(store, ann, READER, token_hash=token_hash)
    with pytest.raises(SessionInvalid) as refused:
        log_in(store, "ann", token_hash)
    assert refused.value.problem == "IN_USE"
    person = new_token_hash()
    log_in(store, "ann", person)
    with pytest.raises(SessionInvalid):
        make(store, ann, READER, token_hash=person)


def test_an_account_has_a_limited_number_of_tokens_and_none_ends_for_another(store: Store) -> None:
    ann, token_hash = sign_up(store, "ann"), new_token_hash()
    first = make(store, ann, READER, token_hash=token_hash)
    for _ in range(MAX_TOKENS - 1):
        make(store, ann, READER)
    with pytest.raises(LimitReached) as refused:
        make(store, ann, READER)
    assert (refused.value.limit, refused.value.things) == (MAX_TOKENS, "tokens")
    store.end_session_of(ann, first.session_id)
    make(store, ann, READER)


def test_log_ins_end_no_token(store: Store) -> None:
    ann, token_hash = sign_up(store, "ann"), new_token_hash()
    make(store, ann, READER, token_hash=token_hash)
    for _ in range(MAX_SESSIONS + 5):
        log_in(store, "ann")
    assert store.session(token_hash) is not None
    assert len(store.sessions_of(log_in(store, "ann"), 0, PLENTY)) == MAX_SESSIONS + 1


def test_a_token_outlives_want_of_use_and_a_change_of_the_password(store: Store, clock: Clock) -> None:
    ann, token_hash, other = sign_up(store, "ann"), new_token_hash(), new_token_hash()
    make(store, ann, READER, lifetime=10**9, token_hash=token_hash)
    log_in(store, "ann", other)
    assert store.change_password(ann, stored_account(store, "ann"), "new") == 1
    clock.advance(10)
    assert store.expire_sessions(clock.now, PLENTY) == 1
    assert store.session(token_hash) is not None
    assert store.session(other) is None


def test_a_token_ends_at_its_time(store: Store, clock: Clock) -> None:
    ann, hashes = sign_up(store, "ann"), [new_token_hash() for _ in range(3)]
    for token_hash, lifetime in zip(hashes, (60, 120, 0), strict=True):
        make(store, ann, READER, lifetime, token_hash)
    start, hints = store.clock.now(), list[int]()
    store.watch(lambda mailboxes, _: hints.extend(mailboxes))
    assert store.expire_tokens(start + 59_999_999, PLENTY) == 0
    assert hints == []
    assert store.expire_tokens(start + 60_000_000, PLENTY) == 1
    assert [store.session(token_hash) is None for token_hash in hashes] == [True, False, False]
    assert hints == [ann.mailbox_id]
    assert [store.expire_tokens(start + 10**12, 1) for _ in range(2)] == [1, 0]
    assert store.session(hashes[2]) is not None


def test_an_administrator_ends_tokens_by_a_new_password_and_by_disabling_the_account(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    tokens = [make(store, ann, READER), make(store, bob, READER)]
    administration(store).set_password("ann", "new hash")
    administration(store).set_disabled("bob", is_disabled=True)
    for token in tokens:
        with pytest.raises(SessionInvalid):
            store.after(token, None, PLENTY, PLENTY)


def test_an_account_is_deleted_with_its_tokens(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    token = make(store, ann, to("bob"))
    assert store.delete_account(ann, stored_account(store, "ann"), 0).sessions == 2
    with pytest.raises(SessionInvalid):
        send(store, new_message(token, "bob"))
    assert texts(store, bob) == []


def test_a_token_that_reads_nothing_keeps_no_message(store: Store) -> None:
    ann = sign_up(store, "ann")
    make(store, ann, to("ann"))
    send_texts(store, ann, "ann", "one", "two")
    store.acknowledge(ann, 2)
    assert retain(store, None) == 2
    reader = make(store, ann, READER)
    send_texts(store, ann, "ann", "three")
    store.acknowledge(ann, 3)
    assert retain(store, None) == 0
    store.acknowledge(reader, 3)
    assert retain(store, None) == 1


def test_tokens_survive_reopening(home: Home) -> None:
    store = home.open()
    ann, token_hash = sign_up(store, "ann"), new_token_hash()
    sign_up(store, "bob")
    token = make(store, ann, to("bob"), 60, token_hash)
    store.close()
    store = home.open()
    assert store.session(token_hash) == token
    with pytest.raises(NotPermitted):
        send(store, new_message(token, "ann"))
    store.close()


def test_nothing_is_stored_after_the_revocation_is_acknowledged(store: Store) -> None:
    ann, bob = sign_up(store, "ann"), sign_up(store, "bob")
    token = make(store, ann, to("bob"))
    is_revoked = False
    stored_after: list[object] = []

    def send_many() -> None:
        for _ in range(200):
            was_revoked = is_revoked
            [outcome] = append(store, [new_message(token, "bob")])
            if was_revoked:
                stored_after.append(type(outcome))

    def revoke() -> None:
        nonlocal is_revoked
        for _ in range(20):
            append(store, [new_message(ann, "ann")])
        store.end_session_of(ann, token.session_id)
        is_revoked = True

    race([send_many, send_many, revoke])
    count = len(mailbox(store, bob))
    [outcome] = append(store, [new_message(token, "bob")])
    assert set(stored_after) <= {SessionInvalid}
    assert isinstance(outcome, SessionInvalid)
    assert len(mailbox(store, bob)) == count
