"""On a server that asks for an invite code, a sign-up means the same by every way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chatbooth_grpc.booth.actions import SIGN_UP
from chatbooth_grpc.booth.administration import Administration
from chatbooth_grpc.booth.client_addresses import ClientAddresses
from chatbooth_grpc.booth.errors import DeadlineExceeded, InviteRefused, RateLimited
from chatbooth_grpc.booth.model import Limits, Session, SignUpPolicy
from chatbooth_grpc.booth.rates import Rate
from chatbooth_grpc.booth.throttles import RateLimits, Throttles
from chatbooth_grpc.client import ChatClient
from chatbooth_grpc.client.library.transport import Transport
from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.booth.cheap_passwords import PASSWORD
from tests.contract.actor import Actor
from tests.contract.racing import race
from tests.contract.stores import Clock
from tests.contract.transports import WAYS, transport_to

RACERS = 6
TOKEN = b"\x07" * 16
WRONG = "7" * 28
HOUR = 3_600.0
INVITE_ONLY = Limits(sign_up=SignUpPolicy.INVITE)


@contextmanager
def invite_only(folder: Path, way: str, **settings: Any) -> Iterator[tuple[Transport, Administration]]:
    """Give a transport to a server that asks for an invite code, and what its administrator can do."""
    clock = Clock()
    with (
        SQLiteStore(folder / "chatbooth.db", clock=clock) as store,
        transport_to(store, way, clock, limits=INVITE_ONLY, **settings) as transport,
    ):
        yield transport, Administration(store.administration)


def uses(administration: Administration) -> list[int]:
    """How often each invite was used."""
    return [invite.uses for invite in administration.invites().invites]


def outcomes(folder: Path, way: str) -> list[object]:
    """Sign up in many ways, and return what came of it."""
    folder.mkdir()
    with invite_only(folder, way) as (transport, administration):
        actor = Actor(transport)
        code, _ = administration.create_invite(uses=2)
        revoked, record = administration.create_invite()
        administration.revoke_invite(record.invite_id)
        steps: list[tuple[Any, ...]] = [
            ("sign_up", "ann", PASSWORD),
            *(("sign_up_invited", "ann", bad) for bad in (WRONG, revoked, "no code", "ä", " ", "x" * 1_000)),
            ("sign_up_invited", "ann", code.lower().replace("-", " "), TOKEN),
            ("sign_up_invited", "ann", code, TOKEN),
            ("sign_up_invited", "ann", WRONG),
            ("sign_up_invited", "ann", code),
            ("sign_up_invited", "ben", code),
            ("sign_up_invited", "cy", code),
            ("log_in", "ann", PASSWORD),
        ]
        return [*(actor.do(*step) for step in steps), uses(administration)]


def test_one_scenario_one_outcome(tmp_path: Path) -> None:
    expected, *others = (outcomes(tmp_path / way, way) for way in WAYS)
    assert all(other == expected for other in others)
    *reasons, counted = [one[0] if isinstance(one, tuple) else one for one in expected]
    assert reasons[0] == "INVITE_REQUIRED"
    assert reasons[1:7] == ["INVITE_REFUSED"] * 6
    assert [isinstance(one, Session) for one in reasons[7:9]] == [True, True]
    assert reasons[9:11] == ["INVITE_REFUSED", "USERNAME_TAKEN"]
    assert isinstance(reasons[11], Session)
    assert reasons[12] == "INVITE_REFUSED"
    assert counted == [2, 0]


@pytest.mark.parametrize("way", WAYS)
def test_of_sign_ups_at_once_one_gets_the_last_use(tmp_path: Path, way: str) -> None:
    with invite_only(tmp_path, way) as (transport, administration):
        code, _ = administration.create_invite()
        actor = Actor(transport)
        results = race([partial(actor.do, "sign_up_invited", f"name{number}", code) for number in range(RACERS)])
        assert sum(not isinstance(result, tuple) for result in results) == 1
        assert {result[0] for result in results if isinstance(result, tuple)} == {"INVITE_REFUSED"}
        assert uses(administration) == [1]


@pytest.mark.parametrize("way", WAYS)
def test_a_sign_up_whose_reply_was_lost_succeeds_and_counts_one_use(tmp_path: Path, way: str) -> None:
    with invite_only(tmp_path, way) as (transport, administration):
        code, _ = administration.create_invite()

        class Losing:
            """The transport, which loses the reply of each sign-up."""

            def call(self, action: Any, token: bytes, request: Any, timeout: float) -> Any:
                reply = transport.call(action, token, request, timeout)
                if action == SIGN_UP:
                    raise DeadlineExceeded
                return reply

            def __getattr__(self, name: str) -> Any:
                return getattr(transport, name)

        client = ChatClient(Losing(), timeout=30)
        assert client.sign_up("ann", PASSWORD, invite=code).username == "ann"
        client.deliver()
        assert uses(administration) == [1]


@pytest.mark.parametrize("way", [way for way in WAYS if way != "booth"])
def test_codes_that_are_tried_count_for_the_limit_of_their_address(tmp_path: Path, way: str) -> None:
    throttles = Throttles(RateLimits(sign_ups_per_address=Rate(3, HOUR, 3)), ClientAddresses(()))
    with invite_only(tmp_path, way, throttles=throttles) as (transport, administration):
        code, _ = administration.create_invite()
        client = ChatClient(transport, timeout=30)
        for _ in range(3):
            with pytest.raises(InviteRefused):
                client.sign_up("ann", PASSWORD, invite=WRONG)
        with pytest.raises(RateLimited, match="sign-ups from one address"):
            client.sign_up("ann", PASSWORD, invite=code)
        assert uses(administration) == [0]
