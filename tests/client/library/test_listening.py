"""The live stream that reconnects, over transports that break by a script."""

from __future__ import annotations

import threading
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbooth_grpc.booth.error_reasons import from_reason
from chatbooth_grpc.booth.errors import (
    ChatboothError,
    CursorPastEnd,
    FailedPrecondition,
    InvalidArgument,
    ServerDraining,
    SessionInvalid,
    Unauthenticated,
    Unavailable,
)
from chatbooth_grpc.booth.model import End, EndReason, Event, Gap, GapReason, UnknownEvent
from chatbooth_grpc.client.library.listening import LONGEST_PAUSE
from chatbooth_grpc.client.state.history import Restored
from tests.client.library.breaking import LOST, OTHER_EPOCH, Breaking, batch, listening, opening, taken
from tests.client.scripted import EPOCH, ScriptedEvents
from tests.waiting import wait_until


def test_it_resumes_after_the_last_message_that_was_returned() -> None:
    transport = Breaking([opening(), batch(1, 2), LOST], [opening(2), batch(3)])
    with listening(transport) as stream:
        assert taken(stream, 3) == [1, 2, 3]
    assert transport.starts == [None, 2]


def test_unknown_events_are_skipped_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    lost: list[object] = []
    unknown = [UnknownEvent(9), UnknownEvent(9), UnknownEvent(5)]
    transport = Breaking([opening(), *unknown, batch(1), *unknown, batch(2)])
    with listening(transport, on_lost=lambda error, pause: lost.append(error)) as stream:
        assert taken(stream, 2) == [1, 2]
    assert (lost, transport.starts) == ([], [None])
    [record] = [record for record in caplog.records if record.name.startswith("chatbooth_grpc")]
    assert (record.levelname, "kind 9" in record.getMessage()) == ("DEBUG", True)


@pytest.mark.parametrize("branch", [Unauthenticated, InvalidArgument, FailedPrecondition])
def test_a_newer_servers_permanent_refusal_ends_it(branch: type[ChatboothError]) -> None:
    transport = Breaking(
        [opening(), batch(1), from_reason("ACCOUNT_FROZEN", "Frozen. Ask whoever runs it.", {}, branch)]
    )
    with pytest.raises(branch, match="Frozen"), listening(transport) as stream:  # noqa: PT012  # two reads are needed
        assert taken(stream, 1) == [1]
        next(stream)
    assert transport.starts == [None]


def test_a_newer_servers_temporary_failure_does_not_end_it() -> None:
    passing = from_reason("MOVING_HOUSE", "Moving.", {}, Unavailable)
    transport = Breaking([opening(), batch(1), passing], [opening(1), batch(2)])
    with listening(transport) as stream:
        assert taken(stream, 2) == [1, 2]


def test_a_repeated_message_is_dropped() -> None:
    transport = Breaking([opening(), batch(1, 2), batch(2, 3), LOST], [opening(), batch(1, 2, 3), batch(3, 4)])
    with listening(transport) as stream:
        assert taken(stream, 4) == [1, 2, 3, 4]


def test_it_starts_after_a_given_sequence() -> None:
    transport = Breaking([opening(5), batch(6)])
    with listening(transport, after=5, epoch=EPOCH) as stream:
        assert taken(stream, 1) == [6]
    assert transport.starts == [5]


def test_each_loss_and_each_return_is_reported_once() -> None:
    told: list[str] = []
    transport = Breaking([opening(), batch(1), ServerDraining()], [LOST], [LOST], [opening(1), batch(2)])
    with listening(
        transport,
        on_lost=lambda error, pause: told.append(f"{error.reason} {pause:g}"),
        on_resumed=lambda opened: told.append(f"resumed after {opened.resumed_after}"),
    ) as stream:
        assert taken(stream, 2) == [1, 2]
    assert told == [
        "resumed after 0",
        "SERVER_DRAINING 0.05",
        "SERVER_UNREACHABLE 0.1",
        "SERVER_UNREACHABLE 0.2",
        "resumed after 1",
    ]


def test_pauses_grow_to_a_limit_and_start_again_after_an_opening() -> None:
    pauses: list[float] = []
    broken: list[list[Event | Exception]] = [[LOST]] * 9
    transport = Breaking(*broken, [opening(), LOST], [opening(), batch(1)])
    stream = listening(transport, on_lost=lambda _, pause: pauses.append(pause))
    stream._closed.wait = lambda _timeout=None: False  # type: ignore[method-assign,assignment]  # no real pause
    assert taken(stream, 1) == [1]
    stream.close()
    assert pauses[:9] == sorted(pauses[:9])
    assert pauses[8] == LONGEST_PAUSE / 2
    assert pauses[9] == pauses[0]


def test_an_ended_session_is_raised() -> None:
    transport = Breaking([opening(), batch(1), End(EndReason.SESSION_ENDED, 1), SessionInvalid()])
    stream = listening(transport)
    assert taken(stream, 1) == [1]
    with pytest.raises(SessionInvalid):
        next(stream)
    with pytest.raises(StopIteration):
        next(stream)


def test_a_cursor_that_the_server_does_not_know_is_reported_and_the_stream_starts_again() -> None:
    transport = Breaking([CursorPastEnd(9, 3)], [opening(3, 0)], [opening(3, 1), batch(4)])
    with listening(transport, after=9, epoch=EPOCH) as stream:
        assert next(stream) == Restored(EPOCH, 9, 3)
        assert taken(stream, 1) == [4]
    assert transport.starts == [9, None, None]


def test_a_sessions_own_cursor_past_the_end_is_tried_again_with_pauses() -> None:
    pauses: list[float] = []
    transport = Breaking([CursorPastEnd(9, 3)], [CursorPastEnd(9, 3)], [opening(3), batch(4)])
    stream = listening(transport, on_lost=lambda _, pause: pauses.append(pause))
    stream._closed.wait = lambda _timeout=None: False  # type: ignore[method-assign,assignment]  # no real pause
    assert taken(stream, 1) == [4]
    stream.close()
    assert pauses == [0.05, 0.1]


def test_another_epoch_is_reported_and_the_stream_starts_again_at_the_sessions_cursor() -> None:
    restored: list[Event | Exception] = [opening(5, 1, OTHER_EPOCH), batch(6)]
    transport = Breaking([opening(5), LOST], restored, [opening(2, 3, OTHER_EPOCH), batch(3, 4, 5)])
    with listening(transport, after=5, epoch=EPOCH) as stream:
        assert next(stream) == Restored(OTHER_EPOCH, 5, 6)
        assert taken(stream, 3) == [3, 4, 5]
    assert transport.starts == [5, 5, None]


def test_a_log_that_became_shorter_is_reported_and_the_stream_starts_again() -> None:
    transport = Breaking([opening(), batch(1, 2, 3, 4), LOST], [opening(0, 3)], [opening(2, 1), batch(3), batch(4)])
    with listening(transport) as stream:
        assert taken(stream, 4) == [1, 2, 3, 4]
        assert next(stream) == Restored(EPOCH, 4, 3)
        assert taken(stream, 2) == [3, 4]
    assert transport.starts == [None, 4, None]


def test_a_gap_counts_as_part_of_the_log() -> None:
    gap = Gap(1, 3, GapReason.RETENTION)
    transport = Breaking(
        [opening(0, 1, gap=gap), batch(4), LOST], [opening(0, 1, gap=gap), LOST], [opening(4, 1), batch(5)]
    )
    with listening(transport) as stream:
        assert taken(stream, 4) == [-1, -3, 4, 5]


def test_gaps_are_returned_once() -> None:
    first, second = Gap(1, 2, GapReason.RETENTION), Gap(4, 5, GapReason.RETENTION)
    transport = Breaking([opening(0, 1, gap=first), batch(3), second, LOST], [opening(0, gap=first), second, batch(6)])
    with listening(transport) as stream:
        assert taken(stream, 6) == [-1, -2, 3, -4, -5, 6]


def test_closing_ends_a_waiting_reader_and_every_thread() -> None:
    before = threading.active_count()
    transport = Breaking([opening()])
    lost: list[Exception] = []
    stream = listening(transport, on_lost=lambda error, _: lost.append(error))
    waiting = threading.Thread(target=lambda: list(stream))
    waiting.start()
    wait_until(lambda: bool(transport.starts))
    stream.close()
    stream.close()
    waiting.join(10)
    assert not waiting.is_alive()
    assert lost == []
    assert threading.active_count() == before


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 4)), min_size=1, max_size=8))
def test_no_break_of_the_connection_repeats_or_loses_a_message(cuts: list[tuple[int, int]]) -> None:
    """Each connection brings some of twenty messages and then breaks. Some begin earlier than the client asked."""

    class Server(Breaking):
        def __init__(self) -> None:
            super().__init__()
            self.cuts = iter(cuts)

        def listen(self, token: bytes, after: int | None) -> ScriptedEvents:
            count, back = next(self.cuts, (20, 0))
            start = max(0, (after or 0) - back)
            sent = [batch(number) for number in range(start + 1, min(20, start + count) + 1)]
            return ScriptedEvents([opening(start), *sent, LOST])

    stream = listening(Server())
    stream._closed.wait = lambda _timeout=None: False  # type: ignore[method-assign,assignment]
    found = taken(stream, 20)
    stream.close()
    assert found == list(range(1, 21))
    assert all(earlier < later for earlier, later in pairwise(found))


def test_closing_does_not_wait_for_a_connection_that_is_not_established() -> None:
    class Silent(ScriptedEvents):
        def cancel(self) -> None:
            """Do nothing: a socket that is connecting does not notice the end."""

    silent = Silent([opening(), batch(1)])
    transport = Breaking()
    transport.listen = lambda token, after: silent  # type: ignore[method-assign]
    stream = listening(transport)
    assert taken(stream, 1) == [1]
    stream.close()
    silent._cancelled.set()
