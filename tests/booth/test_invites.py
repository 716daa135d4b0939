"""Invite codes as people type them, and sign-ups on a server that asks for one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth.administration import Administration
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.credentials import Passwords
from chatbooth_grpc.booth.errors import (
    InvalidInvite,
    InvalidUsername,
    InviteRefused,
    InviteRequired,
    RateLimited,
    SignUpClosed,
    UsernameReserved,
    UsernameTaken,
)
from chatbooth_grpc.booth.invites import (
    ALPHABET,
    MAX_LIFETIME,
    MAX_NOTE_LENGTH,
    MAX_USES,
    NewInvite,
    check_new_invite,
    hash_code,
    new_code,
)
from chatbooth_grpc.booth.model import Limits, SignUpPolicy
from chatbooth_grpc.booth.rates import Rate
from chatbooth_grpc.booth.throttles import RateLimits, Throttles
from tests.booth.cheap_passwords import PASSWORD
from tests.booth.interrupted_store import InterruptedStore
from tests.booth.test_rates import Seconds
from tests.booth.test_throttles import HERE, HOUR, client_at
from tests.contract.stores import Clock

TOKEN = b"\x07" * 16
WRONG = "0000-" * 7
INVITE_ONLY = Limits(sign_up=SignUpPolicy.INVITE, reserved_names=frozenset({"admin"}))


@pytest.fixture
def administration(store: InterruptedStore) -> Administration:
    return Administration(store.administration)


@pytest.fixture
def booth(store: InterruptedStore, passwords: Passwords) -> Booth:
    """A booth that takes an account only with an invite."""
    return Booth(store, limits=INVITE_ONLY, passwords=passwords)


def uses(administration: Administration) -> int:
    """How often the one invite was used."""
    [invite] = administration.invites().invites
    return invite.uses


def forbid(*methods: str) -> Callable[[str], None]:
    """Return a callback that fails when one of the store's methods is called."""

    def before(called: str) -> None:
        assert called not in methods

    return before


# Codes


def test_a_code_has_28_random_characters_in_groups_of_four() -> None:
    codes = {new_code() for _ in range(100)}
    assert len(codes) == 100
    for code in codes:
        assert [len(group) for group in code.split("-")] == [4] * 7
        assert set(code) <= {*ALPHABET, "-"}
        assert not {*"ILOU"} & {*code}
    assert {*"".join(codes)} == {*ALPHABET, "-"}


@given(st.integers(0, 27), st.sampled_from(["-", " ", "", " - ", "\t", "\n"]), st.booleans())
def test_case_dashes_and_blanks_do_not_matter(split: int, between: str, is_lower: bool) -> None:
    code = new_code()
    plain = code.replace("-", "")
    typed = plain[:split] + between + plain[split:]
    assert hash_code(typed.lower() if is_lower else typed) == hash_code(code) is not None


def test_look_alikes_are_read_as_digits() -> None:
    assert hash_code("OoIiLl" + "7" * 22) == hash_code("001111" + "7" * 22) is not None


@pytest.mark.parametrize(
    "typed",
    ["", "-", "7" * 27, "7" * 29, "u" * 28, "7" * 27 + "!", "7" * 27 + "é", "\uff17" * 28, "ß" * 14, "7" * 10_000],
)
def test_other_words_are_no_code(typed: str) -> None:
    assert hash_code(typed) is None


@given(st.text())
def test_no_word_breaks_the_reading_of_a_code(typed: str) -> None:
    found = hash_code(typed)
    assert found is None or len(found) == 32


def test_two_codes_have_two_hashes() -> None:
    assert hash_code("7" * 28) != hash_code("8" * 28)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"max_uses": 0}, "max_uses"),
        ({"max_uses": MAX_USES + 1}, "max_uses"),
        ({"lifetime": 0.0}, "lifetime"),
        ({"lifetime": -1.0}, "lifetime"),
        ({"lifetime": float("nan")}, "lifetime"),
        ({"lifetime": MAX_LIFETIME + 1}, "lifetime"),
        ({"note": "x" * (MAX_NOTE_LENGTH + 1)}, "note"),
        ({"note": "two\nlines"}, "note"),
    ],
)
def test_an_invite_that_cannot_be_is_refused(settings: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInvite) as refused:
        check_new_invite(NewInvite(b"", **settings))  # type: ignore[arg-type]
    assert refused.value.field == field


def test_the_largest_invite_is_taken() -> None:
    check_new_invite(NewInvite(b"", MAX_USES, MAX_LIFETIME, "é" * MAX_NOTE_LENGTH))
    check_new_invite(NewInvite(b"", 1, None))


# Signing up


def test_a_code_lets_somebody_sign_up_once(booth: Booth, administration: Administration) -> None:
    code, invite = administration.create_invite()
    assert (invite.max_uses, uses(administration)) == (1, 0)
    session = booth.sign_up("ann", PASSWORD, invite=code.lower().replace("-", " "))
    booth.acknowledge(session.token, 0)
    assert uses(administration) == 1
    with pytest.raises(InviteRefused):
        booth.sign_up("bob", PASSWORD, invite=code)


def test_without_a_code_nobody_signs_up_and_accounts_log_in(
    booth: Booth, store: InterruptedStore, passwords: Passwords
) -> None:
    Booth(store, passwords=passwords).sign_up("ann", PASSWORD)
    for name in ("ann", "bob"):
        with pytest.raises(InviteRequired):
            booth.sign_up(name, PASSWORD)
    booth.log_in("ann", PASSWORD)


def test_every_bad_code_gets_the_same_words(booth: Booth, administration: Administration, clock: Clock) -> None:
    used, _ = administration.create_invite()
    booth.sign_up("ann", PASSWORD, invite=used)
    revoked, record = administration.create_invite()
    administration.revoke_invite(record.invite_id)
    expired, _ = administration.create_invite(lifetime=60)
    clock.advance(60)
    said = set()
    for code in (used, revoked, expired, WRONG, "no code", " "):
        for name in ("ann", "bob"):
            with pytest.raises(InviteRefused) as refused:
                booth.sign_up(name, PASSWORD, invite=code)
            said.add((str(refused.value), str(refused.value.attributes())))
    assert len(said) == 1


def test_a_bad_code_costs_no_hash_and_does_not_ask_for_the_name(
    booth: Booth, store: InterruptedStore, passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "hash", lambda _: pytest.fail("a password was hashed"))
    store.before = forbid("account", "create_account")
    for code, error in (("", InviteRequired), (WRONG, InviteRefused), ("no code", InviteRefused)):
        with pytest.raises(error):
            booth.sign_up("ann", PASSWORD, invite=code)


def test_a_name_that_is_wrong_taken_or_reserved_uses_no_code(
    booth: Booth, store: InterruptedStore, passwords: Passwords, administration: Administration
) -> None:
    Booth(store, passwords=passwords).sign_up("ann", PASSWORD)
    code, _ = administration.create_invite()
    for name, error in (("a b", InvalidUsername), ("ann", UsernameTaken), ("admin", UsernameReserved)):
        with pytest.raises(error):
            booth.sign_up(name, PASSWORD, invite=code)
    assert uses(administration) == 0
    booth.sign_up("bob", PASSWORD, invite=code)


def test_a_repeat_with_its_token_succeeds_and_counts_once(booth: Booth, administration: Administration) -> None:
    code, _ = administration.create_invite()
    first = booth.sign_up("ann", PASSWORD, TOKEN, invite=code)
    assert booth.sign_up("Ann", PASSWORD, TOKEN, invite=code) == first
    assert uses(administration) == 1
    with pytest.raises(InviteRefused):
        booth.sign_up("bob", PASSWORD, TOKEN, invite=code)


def test_a_code_that_is_used_up_meanwhile_makes_no_account(
    booth: Booth, store: InterruptedStore, administration: Administration
) -> None:
    code, _ = administration.create_invite()

    def overtake(called: str) -> None:
        if called == "create_account":
            store.before = lambda _: None
            booth.sign_up("ann", PASSWORD, invite=code)

    store.before = overtake
    with pytest.raises(InviteRefused):
        booth.sign_up("bob", PASSWORD, invite=code)
    assert (store.account("bob"), uses(administration)) == (None, 1)


def test_an_open_server_ignores_a_code_and_a_closed_one_takes_none(
    store: InterruptedStore, passwords: Passwords, administration: Administration
) -> None:
    code, _ = administration.create_invite()
    Booth(store, passwords=passwords).sign_up("ann", PASSWORD, invite=code)
    Booth(store, passwords=passwords).sign_up("bob", PASSWORD, invite=WRONG)
    closed = Booth(store, limits=Limits(sign_up=SignUpPolicy.CLOSED), passwords=passwords)
    with pytest.raises(SignUpClosed):
        closed.sign_up("carol", PASSWORD, invite=code)
    assert uses(administration) == 0


def test_a_bad_code_counts_as_a_sign_up_of_its_address(
    store: InterruptedStore, passwords: Passwords, administration: Administration
) -> None:
    rates = RateLimits(sign_ups_per_address=Rate(2, HOUR, 2))
    limited = Booth(store, limits=INVITE_ONLY, passwords=passwords, throttles=Throttles(rates, clock=Seconds()))
    good, _ = administration.create_invite()
    with client_at(HERE):
        for _ in range(5):
            with pytest.raises(InviteRequired):
                limited.sign_up("ann", PASSWORD)
        for code in (WRONG, "no code"):
            with pytest.raises(InviteRefused):
                limited.sign_up("ann", PASSWORD, invite=code)
        # A good code gets no other answer.
        for code in (WRONG, good):
            with pytest.raises(RateLimited):
                limited.sign_up("ann", PASSWORD, invite=code)
    with client_at("198.51.100.7:1"):
        limited.sign_up("ann", PASSWORD, invite=good)


def test_a_sign_up_with_a_code_counts_once(
    store: InterruptedStore, passwords: Passwords, administration: Administration
) -> None:
    rates = RateLimits(sign_ups_per_address=Rate(2, HOUR, 2))
    limited = Booth(store, limits=INVITE_ONLY, passwords=passwords, throttles=Throttles(rates, clock=Seconds()))
    code, _ = administration.create_invite(uses=3)
    with client_at(HERE):
        for name in ("ann", "bob"):
            limited.sign_up(name, PASSWORD, invite=code)
        with pytest.raises(RateLimited):
            limited.sign_up("carol", PASSWORD, invite=code)
