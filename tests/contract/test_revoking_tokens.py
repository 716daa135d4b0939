"""After the reply to a revocation, no way accepts anything of the token, whatever is in flight."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbooth_grpc.booth.actions import (
    CREATE_TOKEN,
    DELIVER,
    END_SESSION,
    SIGN_UP,
    CreateTokenRequest,
    DeliverRequest,
    EndSessionRequest,
    LogInRequest,
)
from chatbooth_grpc.booth.errors import SessionInvalid
from chatbooth_grpc.booth.model import OutgoingMessage, Receipt
from chatbooth_grpc.booth.tokens import TokenLimits
from tests.contract.actor import PASSWORD, TIMEOUT, number_id
from tests.contract.racing import race
from tests.contract.transports import PLAIN_WAYS, transport_by

SECRET = b"\x05" * 16
MESSAGES = 120


@pytest.mark.parametrize("way", PLAIN_WAYS)
def test_nothing_is_accepted_after_the_reply_to_a_revocation(way: str, tmp_path: Path) -> None:
    with transport_by(way, tmp_path / "store") as transport:
        ann, ben = (transport.call(SIGN_UP, b"", LogInRequest(name, PASSWORD), TIMEOUT) for name in ("ann", "ben"))
        request = CreateTokenRequest(SECRET, "alerts", TokenLimits(may_send=True, recipient="ben"))
        made = transport.call(CREATE_TOKEN, ann.token, request, TIMEOUT)
        accepted: list[bytes] = []
        accepted_late: list[object] = []
        is_revoked = False

        def send_many(first: int) -> None:
            for number in range(first, first + MESSAGES):
                was_revoked, message_id = is_revoked, number_id(number)
                try:
                    outcome = transport.send(SECRET, OutgoingMessage("ben", message_id, b"alert"), timeout=TIMEOUT)
                except SessionInvalid:
                    continue
                assert isinstance(outcome, Receipt)
                accepted.append(message_id)
                if was_revoked:
                    accepted_late.append(outcome)

        def revoke() -> None:
            nonlocal is_revoked
            while len(accepted) < MESSAGES // 2:
                transport.call(DELIVER, ben.token, DeliverRequest(max_messages=1), TIMEOUT)
            transport.call(END_SESSION, ann.token, EndSessionRequest(made.session_id), TIMEOUT)
            is_revoked = True

        race([lambda: send_many(1), lambda: send_many(1_000), revoke])
        with pytest.raises(SessionInvalid):
            transport.send(SECRET, OutgoingMessage("ben", number_id(5_000), b"alert"), timeout=TIMEOUT)
        stored = transport.call(DELIVER, ben.token, DeliverRequest(max_messages=1_000), TIMEOUT).messages
        assert accepted_late == []
        assert sorted(message.message_id for message in stored) == sorted(accepted)
