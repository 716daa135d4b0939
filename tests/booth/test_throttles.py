"""The limits of addresses and accounts, on a booth that is called for clients at many addresses."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.call_log import Call, calling
from chatbooth_grpc.booth.client_addresses import ClientAddresses
from chatbooth_grpc.booth.credentials import Passwords
from chatbooth_grpc.booth.errors import RateLimited, TooBusy, UsernameTaken, WrongCredentials, WrongPassword
from chatbooth_grpc.booth.model import OutgoingMessage
from chatbooth_grpc.booth.rates import MOST_KEYS, Rate
from chatbooth_grpc.booth.throttles import DEFAULT_RATES, REFUSALS, RateLimits, Throttles
from tests.booth.cheap_passwords import PASSWORD
from tests.booth.interrupted_store import InterruptedStore
from tests.booth.spies import Argon2Spy
from tests.booth.test_rates import Seconds

HERE, ELSEWHERE = "192.0.2.1:1", "198.51.100.1:1"
HOUR = 3_600.0


@contextmanager
def client_at(peer: str) -> Iterator[None]:
    """Make the calls of a block come from a client."""
    with calling(Call("LOG_IN", lambda: peer)):
        yield


@pytest.fixture
def seconds() -> Seconds:
    """The clock of the throttles."""
    return Seconds()


@pytest.fixture
def limited(store: InterruptedStore, passwords: Passwords, seconds: Seconds) -> Callable[[RateLimits], Booth]:
    """Return a function that makes a booth with some limits."""
    return lambda rates: Booth(store, passwords=passwords, throttles=Throttles(rates, clock=seconds))


def fail_to_log_in(booth: Booth, username: str, peer: str = HERE) -> None:
    """Give a wrong password."""
    with client_at(peer), pytest.raises(WrongCredentials):
        booth.log_in(username, "a wrong password")


def log_in(booth: Booth, username: str, peer: str = HERE) -> None:
    """Give the right password."""
    with client_at(peer):
        booth.log_in(username, PASSWORD)


def test_an_address_that_makes_requests_although_they_are_refused_insists(seconds: Seconds) -> None:
    insisting: list[Call] = []
    rates = RateLimits(requests_per_address=Rate(1, HOUR, 1))
    throttles = Throttles(rates, clock=seconds, insisted=insisting.append)
    with client_at(HERE):
        throttles.check_request()
        for _ in range(REFUSALS.burst):
            with pytest.raises(RateLimited):
                throttles.check_request()
        assert not insisting
        for _ in range(3):
            with pytest.raises(RateLimited):
                throttles.check_request()
    assert [call.peer() for call in insisting] == [HERE] * 3
    with client_at(ELSEWHERE):
        throttles.check_request()
    seconds.now += REFUSALS.seconds
    with client_at(HERE), pytest.raises(RateLimited):
        throttles.check_request()
    assert len(insisting) == 3


def test_requests_are_limited_by_address(seconds: Seconds) -> None:
    throttles = Throttles(RateLimits(requests_per_address=Rate(2, 1.0, 2)), clock=seconds)
    with client_at(HERE):
        throttles.check_request()
        throttles.check_request()
        with pytest.raises(RateLimited) as refused:
            throttles.check_request()
    assert (refused.value.limit, refused.value.retry_after) == ("2 requests from one address in a second", 0.5)
    with client_at(ELSEWHERE):
        throttles.check_request()
    seconds.now += 0.5
    with client_at(HERE):
        throttles.check_request()


@pytest.mark.parametrize("peer", ["127.0.0.1:5", "[::1]:5", ":"])
def test_this_machine_has_no_limits_by_address_unless_nobody_is_trusted(peer: str, seconds: Seconds) -> None:
    rates = RateLimits(requests_per_address=Rate(1, HOUR, 1))
    trusting, wary = Throttles(rates, clock=seconds), Throttles(rates, ClientAddresses(()), seconds)
    with client_at(peer):
        for _ in range(9):
            trusting.check_request()
        wary.check_request()
        if peer == ":":
            # A client of a unix socket has no address in either case.
            wary.check_request()
        else:
            with pytest.raises(RateLimited):
                wary.check_request()
    # A call of a program that uses the booth itself.
    wary.check_request()


def test_sign_ups_are_limited_before_the_password_is_hashed(
    limited: Callable[[RateLimits], Booth], monkeypatch: pytest.MonkeyPatch, passwords: Passwords
) -> None:
    booth = limited(RateLimits(sign_ups_per_address=Rate(2, HOUR, 2)))
    with client_at(HERE):
        booth.sign_up("ann", PASSWORD)
        for _ in range(3):
            # A name that is taken costs nothing.
            with pytest.raises(UsernameTaken):
                booth.sign_up("ann", PASSWORD)
        booth.sign_up("ben", PASSWORD)
        monkeypatch.setattr(passwords, "hash", lambda _password: pytest.fail("hashed"))
        with pytest.raises(RateLimited, match=r"2 sign-ups from one address in an hour.*try again in 30 min"):
            booth.sign_up("cat", PASSWORD)
    monkeypatch.undo()
    with client_at(ELSEWHERE):
        booth.sign_up("cat", PASSWORD)


def test_log_ins_are_limited_by_address_whether_they_succeed_or_not(limited: Callable[[RateLimits], Booth]) -> None:
    booth = limited(RateLimits(log_ins_per_address=Rate(3, 60.0, 3)))
    booth.sign_up("ann", PASSWORD)
    log_in(booth, "ann")
    fail_to_log_in(booth, "ann")
    fail_to_log_in(booth, "nobody")
    with pytest.raises(RateLimited, match="3 log-ins from one address in a minute"):
        log_in(booth, "ann")
    log_in(booth, "ann", ELSEWHERE)


@pytest.mark.parametrize("username", ["ann", "nobody"])
def test_guesses_are_refused_before_they_are_compared_and_alike_for_names_that_nobody_has(
    limited: Callable[[RateLimits], Booth], monkeypatch: pytest.MonkeyPatch, username: str, seconds: Seconds
) -> None:
    booth = limited(RateLimits(failed_log_ins_per_address=Rate(2, HOUR, 2)))
    booth.sign_up("ann", PASSWORD)
    spy = Argon2Spy(monkeypatch)
    for _ in range(2):
        fail_to_log_in(booth, username)
    assert len(spy.verified) == 2
    with pytest.raises(RateLimited) as refused:
        log_in(booth, username)
    assert len(spy.verified) == 2
    assert str(refused.value) == (
        "This is too often: the limit is 2 failed log-ins to one account from one address in an hour. "
        "Nothing was done; try again in 30 min."
    )
    # Another account, and the same account from elsewhere, are not concerned.
    booth.sign_up("ben", PASSWORD)
    log_in(booth, "ben")
    fail_to_log_in(booth, username, ELSEWHERE)
    seconds.now += HOUR / 2
    fail_to_log_in(booth, username)


def test_a_wrong_name_costs_and_says_the_same_as_a_wrong_password(
    booth: Booth, monkeypatch: pytest.MonkeyPatch
) -> None:
    booth.sign_up("ann", PASSWORD)
    spy = Argon2Spy(monkeypatch)
    words = []
    for username in ("ann", "nobody"):
        with pytest.raises(WrongCredentials) as refused:
            booth.log_in(username, "a wrong password")
        words.append((len(spy.verified), str(refused.value), refused.value.attributes()))
    assert [counted for counted, *_ in words] == [1, 2]
    assert words[0][1:] == words[1][1:]


def test_right_passwords_are_never_counted(limited: Callable[[RateLimits], Booth]) -> None:
    one = Rate(1, HOUR, 1)
    booth = limited(RateLimits(failed_log_ins_per_address=one, failed_log_ins_per_account=one))
    booth.sign_up("ann", PASSWORD)
    for _ in range(5):
        with client_at(HERE):
            assert booth.log_in("ann", PASSWORD).username == "ann"


def test_a_guess_that_was_not_compared_is_not_counted(seconds: Seconds) -> None:
    one = Rate(1, HOUR, 1)
    throttles = Throttles(RateLimits(failed_log_ins_per_address=one, failed_log_ins_per_account=one), clock=seconds)

    def busy() -> bool:
        raise TooBusy("log-ins at once")

    with client_at(HERE):
        for _ in range(3):
            with pytest.raises(TooBusy):
                throttles.guess("ann", busy)
        assert not throttles.guess("ann", lambda: False)
        with pytest.raises(RateLimited):
            throttles.guess("ann", lambda: True)


def test_an_owner_gets_in_while_others_guess(limited: Callable[[RateLimits], Booth], seconds: Seconds) -> None:
    """One attacker uses up its own limit. Many use up the account's, but not where the owner has logged in before."""
    booth = limited(
        RateLimits(failed_log_ins_per_address=Rate(2, HOUR, 2), failed_log_ins_per_account=Rate(6, HOUR, 6))
    )
    home, phone = "203.0.113.5:1", "203.0.113.200:1"
    with client_at(home):
        token = booth.sign_up("ann", PASSWORD).token
    for _ in range(2):
        fail_to_log_in(booth, "ann", HERE)
    with pytest.raises(RateLimited, match="from one address"):
        log_in(booth, "ann", HERE)
    # One attacker alone locks nobody out.
    log_in(booth, "ann", phone)
    for number in range(2):
        for _ in range(2):
            fail_to_log_in(booth, "ann", f"198.51.100.{number}:1")
    with pytest.raises(RateLimited, match="6 failed log-ins to one account in an hour"):
        log_in(booth, "ann", "198.51.100.77:1")
    for known in (home, phone):
        log_in(booth, "ann", known)
    # A session lives on wherever it is.
    assert booth.authenticated(token).username == "ann"
    # Elsewhere, the owner waits until one guess is forgotten.
    seconds.now += HOUR / 6
    log_in(booth, "ann", "198.51.100.77:1")


def test_guesses_at_the_password_that_a_session_repeats_are_limited_too(limited: Callable[[RateLimits], Booth]) -> None:
    booth = limited(RateLimits(failed_log_ins_per_address=Rate(2, HOUR, 2)))
    token = booth.sign_up("ann", PASSWORD).token
    with client_at(HERE):
        with pytest.raises(WrongPassword):
            booth.delete(token, "a wrong password")
        with pytest.raises(WrongPassword):
            booth.change_password(token, "a wrong password", "a new password")
        with pytest.raises(RateLimited):
            booth.delete(token, PASSWORD)


def test_messages_are_limited_by_account(limited: Callable[[RateLimits], Booth], seconds: Seconds) -> None:
    booth = limited(RateLimits(sends_per_account=Rate(1_000, 1.0, 1_000)))
    ann, ben = (booth.sign_up(name, PASSWORD).token for name in ("ann", "ben"))
    account_id = booth.authenticated(ann).account_id
    assert booth.throttles.take_sends(account_id, 1_000) == 0
    message = OutgoingMessage("ben", b"i" * 16, b"hello")
    with pytest.raises(RateLimited, match="1,000 messages from one account in a second") as refused:
        booth.send(ann, message)
    assert refused.value.retry_after == 1.0
    booth.send(ben, message)
    seconds.now += 1.0
    booth.send(ann, message)


def test_many_addresses_and_names_take_bounded_memory(seconds: Seconds) -> None:
    throttles = Throttles(DEFAULT_RATES, clock=seconds)
    for number in range(2 * MOST_KEYS):
        with client_at(f"[2001:db8:{number >> 8:x}:{number & 0xFF:x}::1]:1"):
            throttles.check_request()
            throttles.guess(f"name{number}", partial(bool, number % 2))
    limits = (throttles._requests, throttles._failed, throttles._account_failed)
    assert all(limit.table is not None and 0 < len(limit.table) <= MOST_KEYS for limit in limits)
    assert len(throttles._proven) == MOST_KEYS


def test_full_tables_take_a_few_mebibytes(seconds: Seconds) -> None:
    """A server takes about 90 MiB, and many addresses and names may add less than a tenth of that."""
    throttles = Throttles(DEFAULT_RATES, ClientAddresses(()), clock=seconds)
    tracemalloc.start()
    try:
        for number in range(MOST_KEYS + MOST_KEYS // 4):
            peer = f"[2001:db8:{number >> 8:x}:{number & 0xFF:x}::1]:1"
            throttles.check_connection(peer)
            with client_at(peer):
                for check in (throttles.check_request, throttles.check_sign_up, throttles.check_log_in):
                    check()
                throttles.guess(f"name{number}", partial(bool, number % 2))
            throttles.take_sends(number)
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 8 << 20
