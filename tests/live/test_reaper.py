"""The reaper: unused sessions end, listening ones live, and lost hints are found."""

from __future__ import annotations

import apsw

from chatbooth_grpc.live.reaper import Reaper
from chatbooth_grpc.live.switchboard import Switchboard
from tests.live.conftest import Place
from tests.live.recording_sink import RecordingSink, wait_until

EXPIRY = 30 * 86_400.0


def test_an_unused_session_ends_and_a_listening_one_lives(place: Place, switchboard: Switchboard) -> None:
    reaper = Reaper(place.store, switchboard, EXPIRY, clock=place.clock)
    unused = place.another_session()
    sink = RecordingSink()
    switchboard.open(place.bob, None, sink)
    for _ in range(62):  # a day at a time
        place.clock.advance(EXPIRY / 60)
        reaper.reap()
    assert place.store.after(place.bob, 0, 0, 0).cursor == 0
    assert _is_over(place, unused.session_id)
    assert not _is_over(place, place.bob.session_id)
    assert sink.error is None


def test_more_sessions_than_one_step_ends(place: Place, switchboard: Switchboard) -> None:
    sessions = [place.another_session() for _ in range(12)]
    place.clock.advance(EXPIRY + 1)
    Reaper(place.store, switchboard, EXPIRY, clock=place.clock).reap()
    assert all(_is_over(place, session.session_id) for session in sessions)


def test_its_threads_sweep_and_stop(place: Place, switchboard: Switchboard) -> None:
    reaper = Reaper(place.store, switchboard, 3.0, clock=place.clock, sweep_interval=0.01)
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


def _is_over(place: Place, session_id: int) -> bool:
    connection = apsw.Connection(str(place.path))
    try:
        return connection.execute("SELECT 1 FROM sessions WHERE session_id = ?", (session_id,)).get is None
    finally:
        connection.close()
