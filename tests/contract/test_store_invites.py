"""Invites: a sign-up counts a use in its own transaction, or is refused and changes nothing."""

from __future__ import annotations

from functools import partial

import pytest

from chatbooth_grpc.booth.errors import (
    InviteNotFound,
    InviteRefused,
    SessionInvalid,
    StoreUnavailable,
    UsernameTaken,
)
from chatbooth_grpc.booth.invites import KEPT_AFTER_END, Invite, InviteState, NewInvite
from chatbooth_grpc.booth.store import Store, StoredSession
from tests.contract.racing import race
from tests.contract.stores import (
    Clock,
    Home,
    administration,
    make_invite,
    names_of,
    new_token_hash,
    sign_up,
    sign_up_with,
)

RACERS = 8
WEEK = 7 * 86_400


def invites(store: Store) -> list[Invite]:
    """All invites."""
    return administration(store).invites(0, 1_000)


def uses(store: Store) -> int:
    """How often the one invite was used."""
    [invite] = invites(store)
    return invite.uses


def is_good(store: Store, code_hash: bytes) -> bool:
    """Whether a sign-up with this code would be admitted now. The look-up and the sign-up must agree."""
    try:
        store.check_invite(code_hash)
    except InviteRefused:
        with pytest.raises(InviteRefused):
            sign_up_with(store, "nobody", code_hash)
        assert "nobody" not in names_of(store)
        return False
    return True


def test_a_new_invite_is_open(store: Store, clock: Clock) -> None:
    admin = administration(store)
    made = admin.create_invite(NewInvite(new_token_hash(), max_uses=3, lifetime=60, note="for the choir"))
    assert made == Invite(1, "for the choir", InviteState.OPEN, 3, 0, clock.now, clock.now + 60_000_000)
    endless = admin.create_invite(NewInvite(new_token_hash(), lifetime=None))
    assert endless == Invite(2, "", InviteState.OPEN, 1, 0, clock.now, None)
    assert invites(store) == [made, endless]


def test_each_sign_up_counts_a_use_until_the_last(store: Store, clock: Clock) -> None:
    code = make_invite(store, max_uses=2)
    assert sign_up_with(store, "ann", code).username == "ann"
    assert (uses(store), is_good(store, code)) == (1, True)
    clock.advance(5)
    sign_up_with(store, "bob", code)
    assert not is_good(store, code)
    [invite] = invites(store)
    assert (invite.uses, invite.state, invite.end_time) == (2, InviteState.USED_UP, clock.now)
    assert names_of(store) == ["ann", "bob"]


def test_a_code_that_nobody_made_is_refused(store: Store) -> None:
    make_invite(store)
    assert not is_good(store, new_token_hash())
    assert uses(store) == 0


def test_a_code_is_good_until_its_time_is_over(store: Store, clock: Clock) -> None:
    code = make_invite(store)
    clock.advance(WEEK - 0.000001)
    assert is_good(store, code)
    clock.advance(0.000001)
    assert not is_good(store, code)
    assert invites(store)[0].state is InviteState.EXPIRED


def test_an_endless_code_is_good_for_ever(store: Store, clock: Clock) -> None:
    code = make_invite(store, lifetime=None)
    clock.advance(1_000 * WEEK)
    assert store.remove_old_invites() == 0
    assert is_good(store, code)


def test_a_revoked_code_is_refused(store: Store, clock: Clock) -> None:
    code, other = make_invite(store, max_uses=9), make_invite(store)
    sign_up_with(store, "ann", code)
    clock.advance(5)
    administration(store).revoke_invite(1)
    assert not is_good(store, code)
    assert is_good(store, other)
    first = invites(store)[0]
    assert (first.state, first.uses, first.end_time) == (InviteState.REVOKED, 1, clock.now)
    clock.advance(5)
    administration(store).revoke_invite(1)
    assert invites(store)[0] == first


def test_only_an_invite_can_be_revoked(store: Store) -> None:
    for number in (1, 1 << 63):
        with pytest.raises(InviteNotFound) as refused:
            administration(store).revoke_invite(number)
        assert refused.value.number == number


def test_a_refused_sign_up_counts_no_use(store: Store) -> None:
    token_hash = new_token_hash()
    sign_up(store, "ann", token_hash)
    code = make_invite(store)
    with pytest.raises(UsernameTaken):
        sign_up_with(store, "ann", code)
    with pytest.raises(SessionInvalid):
        sign_up_with(store, "bob", code, token_hash)
    assert (uses(store), names_of(store)) == (0, ["ann"])


def test_a_code_that_is_not_good_does_not_tell_whether_the_name_is_taken(store: Store) -> None:
    sign_up(store, "ann")
    with pytest.raises(InviteRefused):
        sign_up_with(store, "ann", new_token_hash())


def test_a_repeat_returns_the_session_and_counts_no_use(store: Store) -> None:
    code, token_hash = make_invite(store), new_token_hash()
    first = sign_up_with(store, "ann", code, token_hash)
    assert sign_up_with(store, "ann", code, token_hash) == first
    assert uses(store) == 1
    store.end_session(first)
    with pytest.raises(InviteRefused):
        sign_up_with(store, "ann", code, token_hash)


def test_a_sign_up_that_fails_counts_no_use(home: Home, store: Store) -> None:
    code = make_invite(store)
    with home.failing(store), pytest.raises(StoreUnavailable):
        sign_up_with(store, "ann", code)
    assert (uses(store), names_of(store)) == (0, [])
    sign_up_with(store, "ann", code)


@pytest.mark.parametrize("most", [1, 3])
def test_of_sign_ups_at_once_as_many_succeed_as_there_are_uses(store: Store, most: int) -> None:
    for attempt in range(5):
        code = make_invite(store, max_uses=most)
        outcomes = race([partial(sign_up_with, store, f"name{attempt}.{number}", code) for number in range(RACERS)])
        assert sum(isinstance(outcome, StoredSession) for outcome in outcomes) == most
        assert sum(isinstance(outcome, InviteRefused) for outcome in outcomes) == RACERS - most
        assert invites(store)[-1].uses == most


def test_repeats_at_once_count_one_use(store: Store) -> None:
    code, token_hash = make_invite(store, max_uses=RACERS), new_token_hash()
    outcomes = race([partial(sign_up_with, store, "ann", code, token_hash)] * RACERS)
    assert len({outcome.session_id for outcome in outcomes}) == 1
    assert uses(store) == 1


def test_a_code_revoked_at_once_with_its_use_has_one_outcome(store: Store) -> None:
    for attempt in range(5):
        code = make_invite(store)
        number = invites(store)[-1].invite_id
        signed_up, _ = race(
            [
                partial(sign_up_with, store, f"name{attempt}", code),
                partial(administration(store).revoke_invite, number),
            ]
        )
        assert isinstance(signed_up, StoredSession) == (invites(store)[-1].uses == 1)
        assert not is_good(store, code)


def test_invites_outlive_the_server(home: Home) -> None:
    store = home.open()
    code = make_invite(store, max_uses=2)
    sign_up_with(store, "ann", code)
    before = invites(store)
    store.close()
    store = home.open()
    assert invites(store) == before
    sign_up_with(store, "bob", code)
    assert not is_good(store, code)
    store.close()


def test_a_spent_or_revoked_code_is_refused_even_if_the_clock_is_in_doubt(home: Home) -> None:
    """After two days without a server, those days do not count for the age of an invite."""
    store = home.open()
    spent, revoked = make_invite(store), make_invite(store)
    store.close()
    home.clock.advance(2 * 86_400)
    store = home.open()
    sign_up_with(store, "ann", spent)
    administration(store).revoke_invite(2)
    assert not is_good(store, spent)
    assert not is_good(store, revoked)
    store.close()


def test_invites_are_read_in_pages(store: Store) -> None:
    for number in range(5):
        make_invite(store, note=f"note {number}")
    admin = administration(store)
    assert [invite.invite_id for invite in admin.invites(0, 2)] == [1, 2]
    assert [invite.note for invite in admin.invites(2, 9)] == ["note 2", "note 3", "note 4"]


def test_an_invite_is_removed_long_after_its_end(store: Store, clock: Clock) -> None:
    codes = [make_invite(store, lifetime=lifetime) for lifetime in (None, WEEK, WEEK, None)]
    sign_up_with(store, "ann", codes[0])
    administration(store).revoke_invite(4)
    clock.advance(KEPT_AFTER_END)
    assert store.remove_old_invites() == 0
    clock.advance(0.000001)
    assert store.remove_old_invites() == 2
    assert [invite.invite_id for invite in invites(store)] == [2, 3]
    clock.advance(WEEK)
    assert [store.remove_old_invites(), store.remove_old_invites()] == [2, 0]
    make_invite(store)
    assert [invite.invite_id for invite in invites(store)] == [5]
