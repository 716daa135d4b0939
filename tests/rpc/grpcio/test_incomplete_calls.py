"""A call whose request is overdue ends, and so do the newest of an address that has too many. No other call does."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from chatbooth_grpc.booth.errors import ChatboothError, DeadlineExceeded, TooBusy
from chatbooth_grpc.rpc.grpcio.incomplete_calls import REQUEST_LIMIT, IncompleteCalls


@dataclass(eq=False)
class Call:
    """A call that waits for its request, and the errors with which it was ended."""

    address: str = "192.0.2.1"
    errors: list[ChatboothError] = field(default_factory=list)
    lookups: int = 0

    def peer(self) -> str:
        self.lookups += 1
        return self.address

    def end(self, error: ChatboothError) -> None:
        self.errors.append(error)


def key_of(peer: str) -> str | None:
    return None if peer == "trusted" else peer


def added(calls: IncompleteCalls, count: int, address: str = "192.0.2.1") -> list[Call]:
    """Add calls of an address."""
    new = [Call(address) for _ in range(count)]
    for call in new:
        calls.add(call)
    return new


def test_only_overdue_calls_end_late() -> None:
    calls = IncompleteCalls(9, key_of)
    [late, new] = added(calls, 2)
    calls.calls[late] = time.monotonic() - REQUEST_LIMIT - 1
    calls.end_late()
    assert [type(error) for error in late.errors] == [DeadlineExceeded]
    assert new.errors == []


def test_a_call_that_ends_meanwhile_disturbs_nobody() -> None:
    """The end of one call may end other calls, which then leave."""
    calls = IncompleteCalls(9, key_of)

    class Clearing(Call):
        def end(self, error: ChatboothError) -> None:
            calls.calls.clear()

    long_ago = time.monotonic() - REQUEST_LIMIT - 1
    calls.calls.update({Clearing(): long_ago for _ in range(3)})
    calls.end_late()
    assert calls.calls == {}


def test_the_newest_calls_of_an_address_above_its_share_end() -> None:
    calls = IncompleteCalls(4, key_of)
    another = added(calls, 3, "192.0.2.2")
    older = added(calls, 4)
    newer = added(calls, 2)
    assert not any(call.errors for call in (*another, *older))
    calls.end_late()
    assert not any(call.errors for call in (*another, *older))
    for call in newer:
        assert isinstance(call.errors[0], TooBusy)
        assert call.errors[0].limit == "4 calls from one address whose requests have not come"


def test_the_share_is_enforced_at_once_and_not_only_each_second() -> None:
    calls = IncompleteCalls(4, key_of)
    new = added(calls, 20)
    assert sum(not call.errors for call in new) <= 4 + 2


def test_a_flood_after_a_flood_ends_as_soon() -> None:
    calls = IncompleteCalls(4, key_of)
    added(calls, 100)
    calls.calls.clear()
    calls.end_late()
    assert sum(not call.errors for call in added(calls, 20)) <= 4 + 2


def test_a_trusted_address_has_no_share() -> None:
    calls = IncompleteCalls(4, key_of)
    assert not any(call.errors for call in added(calls, 20, "trusted"))


def test_addresses_are_looked_up_once_and_only_in_a_crowd() -> None:
    calls = IncompleteCalls(4, key_of)
    few = added(calls, 4, "trusted")
    calls.end_late()
    assert [call.lookups for call in few] == [0] * 4
    more = added(calls, 40, "trusted")
    calls.end_late()
    assert {call.lookups for call in (*few, *more)} == {1}
