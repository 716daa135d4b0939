"""The reaper: it ends unused sessions, repeats lost hints and removes old data."""

from __future__ import annotations

import itertools
import logging
import threading
import time

import apsw
import pytest

from chatbooth_grpc.booth.errors import SessionInvalid, StoreFull, StoreUnavailable
from chatbooth_grpc.booth.invites import KEPT_AFTER_END
from chatbooth_grpc.booth.store import RetentionStep, StoredSession
from chatbooth_grpc.booth.tokens import TokenLimits
from chatbooth_grpc.live import reaper as module
from chatbooth_grpc.live.reaper import Reaper, retention_interval
from chatbooth_grpc.live.switchboard import Switchboard
from tests.contract.stores import administration, make_invite
from tests.live.conftest import Place
from tests.live.recording_sink import RecordingSink
from tests.waiting import wait_until

EXPIRY = 30 * 86_400.0
RETAIN = 10 * 86_400.0


def test_an_unused_session_ends_and_a_listening_one_lives(place: Place, switchboard: Switchboard) -> None:
    reaper = Reaper(place.store, switchboard, EXPIRY, retain=RETAIN)
    unused = place.another_session()
    sink = RecordingSink()
    switchboard.open(place.bob, None, sink)
    # The clock moves a day at a time.
    for _ in range(62):
        place.clock.advance(EXPIRY / 60)
        reaper.reap()
    assert place.store.after(place.bob, 0, 0, 0).cursor == 0
    assert _is_over(place, unused.session_id)
    assert not _is_over(place, place.bob.session_id)
    assert sink.error is None


def test_more_sessions_than_one_step_ends(
    place: Place, switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SESSIONS_PER_STEP", 5)
    sessions = [place.another_session() for _ in range(12)]
    place.clock.advance(EXPIRY + 1)
    Reaper(place.store, switchboard, EXPIRY, retain=RETAIN).reap()
    assert all(_is_over(place, session.session_id) for session in sessions)


def test_a_session_lives_to_its_expiry_and_not_beyond(place: Place, switchboard: Switchboard) -> None:
    reaper = Reaper(place.store, switchboard, EXPIRY, retain=RETAIN)
    place.clock.advance(EXPIRY)
    reaper.reap()
    assert not _is_over(place, place.bob.session_id)
    place.clock.advance(0.001)
    reaper.reap()
    assert _is_over(place, place.bob.session_id)


def test_a_session_that_listened_lives_for_an_expiry_after_its_stream(place: Place, switchboard: Switchboard) -> None:
    reaper = Reaper(place.store, switchboard, EXPIRY, retain=RETAIN)
    listener = switchboard.open(place.bob, None, RecordingSink())
    for _ in range(40):
        place.clock.advance(EXPIRY / 20)
        reaper.reap()
    switchboard.close(listener)
    place.clock.advance(EXPIRY * 0.9)
    reaper.reap()
    assert not _is_over(place, place.bob.session_id)
    place.clock.advance(EXPIRY * 0.1 + 1)
    reaper.reap()
    assert _is_over(place, place.bob.session_id)


def test_the_use_of_an_open_stream_is_noted_now_and_then_not_each_round(
    place: Place, switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    touched: list[StoredSession] = []
    touch = place.store.touch_session

    def noted_touch(session: StoredSession) -> None:
        touched.append(session)
        touch(session)

    monkeypatch.setattr(place.store, "touch_session", noted_touch)
    reaper = Reaper(place.store, switchboard, EXPIRY, retain=RETAIN)
    for _ in range(3):
        # One session counts once, however many streams it has.
        switchboard.open(place.bob, None, RecordingSink())
    for _ in range(600):
        place.clock.advance(EXPIRY / 300)
        reaper.reap()
    assert 2 * 25 <= len(touched) <= 2 * 30


def test_an_expired_session_ends_its_stream(place: Place, switchboard: Switchboard) -> None:
    """A stream is use. So this needs a time in which the reaper did not run: the machine slept, for example."""
    sink = RecordingSink()
    switchboard.open(place.bob, None, sink)
    wait_until(lambda: bool(sink.events))
    place.clock.advance(EXPIRY + 1)
    assert place.store.expire_sessions(place.clock() - round(EXPIRY * 1_000_000), 100) == 2
    wait_until(lambda: isinstance(sink.error, SessionInvalid))


def test_a_token_ends_at_its_time_with_its_stream(
    place: Place, switchboard: Switchboard, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    lasting = TokenLimits(may_read=True)
    tokens = [place.store.create_token(place.bob, bytes([life]) * 32, f"bot {life}", lasting, life) for life in (60, 0)]
    sinks = [RecordingSink(), RecordingSink()]
    for token, sink in zip(tokens, sinks, strict=True):
        switchboard.open(token, None, sink)
    wait_until(lambda: all(sink.events for sink in sinks))
    reaper = Reaper(place.store, switchboard, EXPIRY, retain=RETAIN)
    place.clock.advance(59.9)
    reaper.reap()
    assert not _is_over(place, tokens[0].session_id)
    place.clock.advance(0.1)
    reaper.reap()
    wait_until(lambda: isinstance(sinks[0].error, SessionInvalid))
    assert [_is_over(place, token.session_id) for token in tokens] == [True, False]
    assert sinks[1].error is None
    assert [record.getMessage() for record in caplog.records].count("tokens expired") == 1


def test_a_round_that_the_store_refuses_is_followed_by_another(
    place: Place, switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    expire, failures = place.store.expire_sessions, [StoreUnavailable() for _ in range(3)]

    def refuse_first(unused_since: int, limit: int) -> int:
        if failures:
            raise failures.pop()
        return expire(unused_since, limit)

    monkeypatch.setattr(place.store, "expire_sessions", refuse_first)
    reaper = Reaper(place.store, switchboard, 3.0, retain=RETAIN)
    place.clock.advance(10)
    reaper.start()
    wait_until(lambda: _is_over(place, place.alice.session_id))
    reaper.stop()
    assert [vars(record).get("refused") for record in caplog.records if "rounds" in record.getMessage()] == [None, 3]


def test_its_threads_sweep_and_stop(place: Place, switchboard: Switchboard) -> None:
    reaper = Reaper(place.store, switchboard, 3.0, retain=RETAIN, sweep_interval=0.01)
    sink = RecordingSink()
    switchboard.open(place.bob, None, sink)
    wait_until(lambda: bool(sink.events))
    reaper.start()
    place.send(b"text")
    wait_until(lambda: sink.sequences == [1])
    place.clock.advance(10)
    wait_until(lambda: _is_over(place, place.alice.session_id))
    reaper.stop()
    assert not _is_over(place, place.bob.session_id)


def test_a_message_is_kept_for_the_retention_and_no_longer(place: Place, switchboard: Switchboard) -> None:
    reaper = Reaper(place.store, switchboard, EXPIRY, retain=RETAIN)
    place.send(b"one", b"two")
    place.clock.advance(60)
    place.send(b"three")
    place.store.acknowledge(place.bob, 3)
    place.clock.advance(RETAIN - 60)
    reaper.remove_old()
    assert _removed_through(place) == 0
    place.clock.advance(0.001)
    reaper.remove_old()
    assert _removed_through(place) == 2
    place.clock.advance(RETAIN)
    reaper.remove_old()
    assert _removed_through(place) == 3


def test_a_message_that_nobody_acknowledged_is_kept_for_ever(place: Place, switchboard: Switchboard) -> None:
    place.send(b"one")
    place.clock.advance(1_000 * RETAIN)
    for retain in (RETAIN, 0.0):
        Reaper(place.store, switchboard, EXPIRY, retain=retain).remove_old()
    assert _removed_through(place) == 0


def test_kept_for_no_time_a_message_goes_once_every_device_has_it(place: Place, switchboard: Switchboard) -> None:
    reaper = Reaper(place.store, switchboard, EXPIRY, retain=0)
    other = place.another_session()
    place.send(b"one", b"two")
    place.store.acknowledge(place.bob, 2)
    reaper.remove_old()
    assert _removed_through(place) == 0
    place.store.acknowledge(other, 1)
    reaper.remove_old()
    assert _removed_through(place) == 1


def test_a_round_goes_on_until_all_is_removed(
    place: Place, switchboard: Switchboard, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    place.send(*[b"x"] * 1_100)
    place.store.acknowledge(place.bob, 1_100)
    Reaper(place.store, switchboard, EXPIRY, retain=0).remove_old()
    assert _removed_through(place) == 1_100
    [removed] = [record for record in caplog.records if record.message == "old messages removed"]
    assert removed.__dict__["count"] == 1_100


def test_a_round_removes_the_rows_that_a_deletion_left(place: Place, switchboard: Switchboard) -> None:
    place.send(*[b"x"] * 1_100)
    with apsw.Connection(str(place.path)) as connection:
        connection.execute("DELETE FROM sessions WHERE account_id = ?", (place.bob.account_id,))
        connection.execute("UPDATE mailboxes SET account_id = NULL WHERE account_id = ?", (place.bob.account_id,))
    connection.close()
    Reaper(place.store, switchboard, EXPIRY, retain=RETAIN).prune()
    assert _count(place, "messages") == 0
    assert _count(place, "mailboxes") == 1


def test_a_deletion_is_pruned_at_once(place: Place, switchboard: Switchboard) -> None:
    # Its rounds are ten minutes apart.
    reaper = Reaper(place.store, switchboard, EXPIRY, retain=10 * 365 * 86_400)
    reaper.start()
    place.send(*[b"x"] * 1_100)
    place.delete_bob()
    wait_until(lambda: _count(place, "mailboxes") == 1)
    assert _count(place, "messages") == 0
    reaper.stop()


def test_rows_that_an_earlier_server_left_are_pruned_at_the_start(place: Place, switchboard: Switchboard) -> None:
    place.delete_bob()
    reaper = Reaper(place.store, switchboard, EXPIRY, retain=RETAIN)
    reaper.start()
    wait_until(lambda: _count(place, "mailboxes") == 1)
    reaper.stop()


def test_invites_that_ended_long_ago_are_removed(place: Place, switchboard: Switchboard) -> None:
    reaper = Reaper(place.store, switchboard, EXPIRY, retain=RETAIN)
    for lifetime in (1, None):
        make_invite(place.store, lifetime=lifetime)
    place.clock.advance(KEPT_AFTER_END + 2)
    reaper.prune()
    assert [invite.invite_id for invite in administration(place.store).invites(0, 9)] == [2]


def test_pruning_that_failed_is_not_tried_again_before_the_next_round(
    place: Place, switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """On a full disk, a try at once would only spin. When there is room again, the rest must be removed."""
    monkeypatch.setattr(module, "_SHORTEST_RETENTION_ROUND", 0.01)
    prune, failures, rounds = place.store.prune_deleted, [StoreFull() for _ in range(3)], list[float]()

    def refuse_first() -> bool:
        if failures:
            rounds.append(time.monotonic())
            raise failures.pop()
        return prune()

    monkeypatch.setattr(place.store, "prune_deleted", refuse_first)
    place.delete_bob()
    reaper = Reaper(place.store, switchboard, EXPIRY, retain=5)
    reaper.start()
    wait_until(lambda: _count(place, "mailboxes") == 1)
    reaper.stop()
    assert [later - earlier >= 0.05 for earlier, later in itertools.pairwise(rounds)] == [True, True]
    assert [vars(record).get("refused") for record in caplog.records if "rounds" in record.getMessage()] == [None, 3]


def test_its_third_thread_removes_and_outlives_a_store_that_fails(
    place: Place, switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "_SHORTEST_RETENTION_ROUND", 0.01)
    remove, failures = place.store.remove_old, [StoreUnavailable() for _ in range(3)]

    def refuse_first(retain: float | None, start: int = 0) -> RetentionStep:
        if failures:
            raise failures.pop()
        return remove(retain, start)

    monkeypatch.setattr(place.store, "remove_old", refuse_first)
    place.send(b"one")
    place.store.acknowledge(place.bob, 1)
    reaper = Reaper(place.store, switchboard, EXPIRY, retain=0)
    reaper.start()
    wait_until(lambda: _removed_through(place) == 1)
    reaper.stop()
    assert [vars(record).get("refused") for record in caplog.records if "rounds" in record.getMessage()] == [None, 3]


@pytest.mark.parametrize("endless", ["prune_deleted", "remove_old"])
def test_it_stops_amid_a_round_that_would_never_end(
    place: Place, switchboard: Switchboard, monkeypatch: pytest.MonkeyPatch, endless: str
) -> None:
    monkeypatch.setattr(module, "_SHORTEST_RETENTION_ROUND", 0.01)
    begun = threading.Event()

    def prune_on() -> bool:
        begun.set()
        return True

    def walk_on(retain: float | None, start: int = 0) -> RetentionStep:
        begun.set()
        return RetentionStep(0, start + 1)

    monkeypatch.setattr(place.store, endless, {"prune_deleted": prune_on, "remove_old": walk_on}[endless])
    reaper = Reaper(place.store, switchboard, EXPIRY, retain=0)
    reaper.start()
    assert begun.wait(20)
    reaper.stop()


@pytest.mark.parametrize(
    ("retain", "interval"),
    [(0, 1), (5, 1), (100, 1), (3_600, 36), (60_000, 600), (30 * 86_400, 600), (10 * 365 * 86_400, 600)],
)
def test_how_often_it_looks_follows_from_the_retention(retain: float, interval: float) -> None:
    assert retention_interval(retain) == interval


def _removed_through(place: Place) -> int:
    return place.store.after(place.bob, 0, 0, 0).removed_through


def _count(place: Place, table: str) -> int:
    """Count the rows of a table."""
    connection = apsw.Connection(str(place.path))
    try:
        count: int = connection.execute(f"SELECT count(*) FROM {table}").get
    finally:
        connection.close()
    return count


def _is_over(place: Place, session_id: int) -> bool:
    connection = apsw.Connection(str(place.path))
    try:
        return connection.execute("SELECT 1 FROM sessions WHERE session_id = ?", (session_id,)).get is None
    finally:
        connection.close()
