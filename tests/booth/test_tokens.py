"""Tokens at the booth: every action needs a right, and nothing is done without it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.actions import ACTIONS
from chatbooth_grpc.booth.booth import PERFORM, Booth
from chatbooth_grpc.booth.credentials import new_token
from chatbooth_grpc.booth.errors import (
    InvalidLabel,
    InvalidTokenLimits,
    InvalidUsername,
    NotPermitted,
    RecipientNotFound,
    SessionInvalid,
    UsernameTaken,
)
from chatbooth_grpc.booth.model import Session, SessionKind
from chatbooth_grpc.booth.tokens import MAX_LIFETIME, Right, StoredLimits, TokenLimits
from tests.booth.acting import SignUp, every_action, outgoing, send_texts, texts
from tests.booth.cheap_passwords import PASSWORD
from tests.contract.stores import Clock

READER = TokenLimits(may_read=True)
SENDER = TokenLimits(may_send=True)
BOTH = TokenLimits(may_read=True, may_send=True)
DAY = 86_400

REQUESTS: dict[int, tuple[object, ...]] = {
    actions.LIST: ("", "", 0, ""),
    actions.DELIVER: (),
    actions.DELETE: (PASSWORD,),
    actions.LOG_OUT: (),
    actions.ACKNOWLEDGE: (0,),
    actions.CHANGE_PASSWORD: (PASSWORD, "another password"),
    actions.SET_BLOCK: ("ben", True),
    actions.LIST_BLOCKS: (0, ""),
    actions.LIST_SESSIONS: (0, ""),
    actions.END_SESSION: (1,),
    actions.CREATE_TOKEN: (b"\x05" * 16, "another", READER, 0),
}
"""A good request of each unary action that needs a session. A new action that is missing here fails the test below."""


def make(booth: Booth, session: Session, limits: TokenLimits, lifetime: int = 0) -> Session:
    """Make a token of a new name."""
    secret = new_token()
    return booth.create_token(session.token, secret, secret.hex(), limits, lifetime).session


@pytest.mark.parametrize("limits", [READER, SENDER, BOTH], ids=["reader", "sender", "both"])
@pytest.mark.parametrize("action", [number for number in PERFORM if ACTIONS[number].needs_session])
def test_a_token_does_only_what_its_rights_allow(
    booth: Booth, sign_up: SignUp, action: int, limits: TokenLimits
) -> None:
    ann = sign_up("ann")
    sign_up("ben")
    token = make(booth, ann, limits).token
    is_permitted = ACTIONS[action].right is Right.READ and limits.may_read
    request = REQUESTS[action]
    before = booth.list_sessions(ann.token, 0, "").sessions
    if is_permitted:
        PERFORM[action](booth, token, request)
    else:
        with pytest.raises(NotPermitted) as refused:
            PERFORM[action](booth, token, request)
        assert refused.value.permitted == limits.codes
    assert booth.list_sessions(ann.token, 0, "").sessions == before
    assert booth.list_blocks(ann.token, 0, "").usernames == []
    assert booth.log_in("ann", PASSWORD).account_id == ann.account_id


def test_a_call_that_names_no_action_is_refused_to_every_token(booth: Booth, sign_up: SignUp) -> None:
    token = make(booth, sign_up("ann"), BOTH).token
    with pytest.raises(NotPermitted):
        booth.authenticated(token)
    assert booth.authenticated(token, actions.LISTEN) == booth.authenticated(token, actions.SEND)
    with pytest.raises(NotPermitted):
        booth.authenticated(token, actions.SET_BLOCK)


def test_sending_needs_the_right_to_send(booth: Booth, sign_up: SignUp) -> None:
    ann, ben = sign_up("ann"), sign_up("ben")
    for _ in range(2):
        with pytest.raises(NotPermitted):
            booth.send(make(booth, ann, READER).token, outgoing("ben"))
    reader = booth.admitted(make(booth, ann, READER).token)
    assert isinstance(booth.sending.checked(reader, outgoing("ben")), NotPermitted)
    send_texts(booth, make(booth, ann, TokenLimits(may_send=True, recipient="BEN")), "ben", "alert")
    assert texts(booth, ben) == ["alert"]


def test_a_token_reads_as_a_session_does(booth: Booth, sign_up: SignUp) -> None:
    ann = sign_up("ann")
    send_texts(booth, ann, "ann", "one", "two")
    reader = make(booth, ann, READER)
    assert (reader.account_id, reader.username, reader.epoch) == (ann.account_id, "ann", ann.epoch)
    booth.acknowledge(reader.token, 1)
    assert texts(booth, reader) == ["two"]
    assert texts(booth, ann) == ["one", "two"]


Wrong = tuple[type[Exception], str, TokenLimits, int]


@pytest.mark.parametrize(
    ("error", "label", "limits", "lifetime"),
    [
        (InvalidLabel, "", READER, 0),
        (InvalidLabel, "   ", READER, 0),
        (InvalidLabel, "x" * 65, READER, 0),
        (InvalidLabel, "a\nb", READER, 0),
        (InvalidTokenLimits, "bot", TokenLimits(), 0),
        (InvalidTokenLimits, "bot", TokenLimits(may_read=True, recipient="ben"), 0),
        (InvalidUsername, "bot", TokenLimits(may_send=True, recipient="no one"), 0),
        (RecipientNotFound, "bot", TokenLimits(may_send=True, recipient="nobody"), 0),
        (InvalidTokenLimits, "bot", READER, MAX_LIFETIME + 1),
        (InvalidTokenLimits, "bot", READER, (1 << 64) - 1),
        (InvalidTokenLimits, "bot", READER, -1),
    ],
)
def test_a_wrong_token_is_not_made(
    booth: Booth, sign_up: SignUp, error: type[Exception], label: str, limits: TokenLimits, lifetime: int
) -> None:
    ann = sign_up("ann")
    with pytest.raises(error):
        booth.create_token(ann.token, new_token(), label, limits, lifetime)
    assert len(booth.list_sessions(ann.token, 0, "").sessions) == 1


@pytest.mark.parametrize("secret", [b"", bytes(16), b"short", b"x" * 17])
def test_a_secret_has_sixteen_bytes(booth: Booth, sign_up: SignUp, secret: bytes) -> None:
    ann = sign_up("ann")
    with pytest.raises(SessionInvalid):
        booth.create_token(ann.token, secret, "bot", READER)


def test_the_id_of_a_recipient_in_a_request_does_not_matter(booth: Booth, sign_up: SignUp) -> None:
    ann, ben = sign_up("ann"), sign_up("ben")
    make(booth, ann, TokenLimits(may_send=True, recipient="ben", recipient_id=ann.account_id))
    make(booth, ann, TokenLimits(may_send=True, recipient_id=ben.account_id))
    [_, one, other] = booth.list_sessions(ann.token, 0, "").sessions
    assert one.limits == TokenLimits(may_send=True, recipient="ben", recipient_id=ben.account_id)
    assert other.limits == SENDER
    assert [one.kind, other.kind] == [SessionKind.TOKEN, SessionKind.TOKEN]


def test_nobody_logs_in_or_signs_up_with_the_secret_of_a_token(booth: Booth, sign_up: SignUp) -> None:
    token = make(booth, sign_up("ann"), READER).token
    with pytest.raises(SessionInvalid):
        booth.log_in("ann", PASSWORD, token)
    with pytest.raises(UsernameTaken):
        booth.sign_up("ann", PASSWORD, token)
    with pytest.raises(SessionInvalid):
        booth.sign_up("ben", PASSWORD, token)


def test_an_expired_token_is_as_a_session_that_has_ended(booth: Booth, sign_up: SignUp, clock: Clock) -> None:
    ann = sign_up("ann")
    token = make(booth, ann, BOTH, lifetime=60)
    clock.advance(59)
    assert texts(booth, token) == []
    assert booth.cached_session(token.token) is not None
    clock.advance(1)
    # The reaper has not seen it yet.
    assert booth.cached_session(token.token) is None
    for action in every_action(booth, token):
        with pytest.raises(SessionInvalid):
            action()
    assert texts(booth, ann) == []


def test_a_token_without_an_expiry_lives_without_use(booth: Booth, sign_up: SignUp, clock: Clock) -> None:
    ann = sign_up("ann")
    token = make(booth, ann, READER)
    clock.advance(400 * DAY)
    assert texts(booth, token) == []
    with pytest.raises(SessionInvalid):
        booth.deliver(ann.token)


def test_limits_say_what_they_are_in_codes() -> None:
    gone = TokenLimits(may_read=True, may_send=True, recipient_id=5)
    assert [limits.codes for limits in (READER, SENDER, BOTH, gone)] == ["READ", "SEND", "READ,SEND", "READ,SEND_TO"]
    words = {limits.codes: str(StoredLimits(limits, None, None).refusal()) for limits in (READER, SENDER, gone)}
    assert "may only read messages." in words["READ"]
    assert "may only send messages to any account." in words["SEND"]
    assert "read messages and send messages to an account that is deleted." in words["READ,SEND_TO"]
    assert "a newer client" in str(NotPermitted("PAINT"))


def test_a_stored_limit_compares_mailboxes() -> None:
    check: Callable[[int | None], bool] = StoredLimits(
        TokenLimits(may_send=True, recipient="ben", recipient_id=2), 7, None
    ).may_send_to
    assert [check(mailbox_id) for mailbox_id in (7, 8, None)] == [True, False, False]
    gone = StoredLimits(TokenLimits(may_send=True, recipient_id=2), None, None)
    assert not gone.may_send_to(None)
    assert not gone.may_send_to(7)
