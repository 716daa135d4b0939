"""Passwords and session tokens."""

from __future__ import annotations

import hashlib
import os
import queue
import threading
from collections.abc import Callable

import argon2
import pytest

from chatbooth_grpc.booth.credentials import MAX_WAITING, PASSWORD_PARAMETERS, Passwords, hash_token, new_token
from chatbooth_grpc.booth.errors import ChatboothError, DeadlineExceeded, TooBusy
from chatbooth_grpc.booth.rules import TOKEN_SIZE
from tests.booth.cheap_passwords import cheap_passwords
from tests.booth.spies import Argon2Spy, Gate
from tests.deadlines import deadline_in

CORES = os.cpu_count() or 1


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Argon2Spy:
    """The hashes that argon2 verifies."""
    return Argon2Spy(monkeypatch)


def test_tokens_are_16_bytes_that_nobody_has_seen_before() -> None:
    tokens = {new_token() for _ in range(1_000)}
    assert len(tokens) == 1_000
    assert {len(token) for token in tokens} == {TOKEN_SIZE} == {16}


def test_only_the_hash_of_a_token_is_kept() -> None:
    token = new_token()
    assert hash_token(token) == hashlib.sha256(token).digest()


def test_passwords_are_hashed_by_argon2id_with_owasps_minimum() -> None:
    used = argon2.extract_parameters(Passwords().hash(b"password"))
    assert used == PASSWORD_PARAMETERS
    assert (used.type, used.time_cost, used.memory_cost, used.parallelism) == (argon2.Type.ID, 2, 19_456, 1)
    assert (used.version, used.salt_len, used.hash_len) == (0x13, 16, 32)


def test_a_hash_matches_its_password_alone(passwords: Passwords) -> None:
    password_hash = passwords.hash(b"a password")
    # Each hash has a salt of its own.
    assert password_hash != passwords.hash(b"a password")
    assert passwords.matches(b"a password", password_hash)
    assert not passwords.matches(b"A password", password_hash)
    assert not passwords.matches(b"", password_hash)


@pytest.mark.parametrize("damaged", ["", "x", "$argon2id$v=19$m=8,t=1,p=1$$", "$2b$12$abc"])
def test_a_damaged_hash_matches_nothing(passwords: Passwords, damaged: str) -> None:
    assert not passwords.matches(b"a password", damaged)


def test_nobodys_password_takes_as_much_work_as_somebodys(spy: Argon2Spy) -> None:
    passwords = cheap_passwords(time_cost=3)
    assert not passwords.matches(b"a password", None)
    [verified] = spy.verified
    assert argon2.extract_parameters(verified) == argon2.extract_parameters(passwords.hash(b"a password"))


@pytest.mark.parametrize("change", [{"time_cost": 2}, {"memory_cost": 16}, {"hash_len": 24}, {"salt_len": 24}])
def test_a_hash_of_other_parameters_is_outdated_and_still_matches(change: dict[str, int]) -> None:
    old, new = cheap_passwords(), cheap_passwords(**change)
    password_hash = old.hash(b"a password")
    assert not old.is_outdated(password_hash)
    assert new.is_outdated(password_hash)
    assert new.matches(b"a password", password_hash)


def test_more_than_may_wait_are_refused(spy: Argon2Spy) -> None:
    passwords = cheap_passwords()
    password_hash = passwords.hash(b"a password")
    gate = Gate()
    spy.during = gate.hold
    admitted = CORES + MAX_WAITING
    outcomes: queue.SimpleQueue[bool | ChatboothError] = queue.SimpleQueue()

    def match() -> None:
        try:
            outcomes.put(passwords.matches(b"a password", password_hash))
        except ChatboothError as refusal:
            outcomes.put(refusal)

    threads = [threading.Thread(target=match, daemon=True) for _ in range(admitted + 1)]
    for thread in threads:
        thread.start()
    # No other call can end while the gate is shut.
    first = outcomes.get(timeout=60)
    assert isinstance(first, TooBusy)
    assert first.retry_after > 0
    assert len(spy.verified) <= CORES
    gate.open()
    assert [outcomes.get(timeout=60) for _ in range(admitted)] == [True] * admitted
    for thread in threads:
        thread.join()
    # There is room again.
    assert passwords.matches(b"a password", password_hash)


@pytest.mark.parametrize(
    "use", [lambda passwords: passwords.matches(b"a password", None), lambda passwords: passwords.hash(b"a password")]
)
def test_a_caller_that_waits_past_its_deadline_gets_deadline_exceeded(
    spy: Argon2Spy, use: Callable[[Passwords], object]
) -> None:
    passwords = cheap_passwords()
    gates = [Gate() for _ in range(CORES)]
    waiting = iter(gates)
    spy.during = lambda: next(waiting).hold()
    threads = [threading.Thread(target=passwords.matches, args=(b"a password", None), daemon=True) for _ in gates]
    for thread in threads:
        thread.start()
    for gate in gates:
        gate.wait_until_reached()
    with deadline_in(0.05), pytest.raises(DeadlineExceeded):
        use(passwords)
    for gate in gates:
        gate.open()
    for thread in threads:
        thread.join()


def test_calls_past_their_deadline_do_no_work_and_take_no_room(spy: Argon2Spy) -> None:
    passwords = cheap_passwords()
    for _ in range(CORES + MAX_WAITING + 1):
        with deadline_in(0.0), pytest.raises(DeadlineExceeded):
            passwords.matches(b"a password", None)
    assert spy.verified == []
    assert passwords.matches(b"a password", passwords.hash(b"a password"))
