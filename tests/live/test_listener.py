"""One listener, stepped by the test: opening, window, gaps; no skip and no repeat."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from chatbooth_grpc.booth.errors import CursorPastEnd, SessionInvalid
from chatbooth_grpc.booth.model import Gap, GapReason, Message, MessageBatch, Opening
from chatbooth_grpc.live import listener as module
from chatbooth_grpc.live.listener import WINDOW_MESSAGES, WINDOW_SIZE, Listener
from tests.live.conftest import Place
from tests.live.recording_sink import RecordingSink

HALF = WINDOW_SIZE // 2


def serve(place: Place, listener: Listener) -> None:
    """Step the listener until it has no more to do."""
    for _ in range(1_000):
        if not listener.step(place.store):
            return
    raise AssertionError("it never had enough")


def remove_through(place: Place, sequence: int) -> None:
    """Remove the messages up to a sequence as retention does, whether they are acknowledged or not."""
    with apsw.Connection(str(place.path)) as connection:
        connection.execute("DELETE FROM messages WHERE sequence <= ?", (sequence,))
        connection.execute("UPDATE mailboxes SET removed_through = ? WHERE last_sequence > 0", (sequence,))


@pytest.fixture
def sink() -> RecordingSink:
    """The stream."""
    return RecordingSink()


def test_an_empty_mailbox_is_opened_and_that_is_all(place: Place, sink: RecordingSink) -> None:
    listener = Listener(place.bob, None, sink)
    assert not listener.step(place.store)
    assert not listener.step(place.store)
    assert sink.events == [Opening(place.store.epoch, place.bob.account_id, 0, 0)]


def test_the_first_step_only_opens(place: Place, sink: RecordingSink) -> None:
    place.send(b"one", b"two")
    listener = Listener(place.bob, None, sink)
    assert listener.step(place.store)
    assert sink.events == [Opening(place.store.epoch, place.bob.account_id, 0, 2)]
    assert not listener.step(place.store)
    assert sink.sequences == [1, 2]


def test_a_message_between_the_opening_and_the_next_step_is_not_missed(place: Place, sink: RecordingSink) -> None:
    listener = Listener(place.bob, None, sink)
    listener.step(place.store)
    place.send(b"one")
    serve(place, listener)
    assert sink.sequences == [1]


def test_the_window_is_256_messages_to_the_message(place: Place, sink: RecordingSink) -> None:
    place.send(*[b"x"] * (WINDOW_MESSAGES + 3))
    listener = Listener(place.bob, None, sink)
    serve(place, listener)
    assert WINDOW_MESSAGES == 256
    assert len(sink.messages) == 256
    place.store.acknowledge(place.bob, 2)
    serve(place, listener)
    assert len(sink.messages) == 258
    place.store.acknowledge(place.bob, 258)
    serve(place, listener)
    assert sink.sequences == list(range(1, 260))


@pytest.mark.parametrize(("second", "fits"), [(HALF, 2), (HALF + 1, 1)])
def test_the_window_is_a_mebibyte_to_the_byte(place: Place, sink: RecordingSink, second: int, fits: int) -> None:
    assert WINDOW_SIZE == 1 << 20
    place.send(b"x" * HALF, b"y" * second, b"z")
    listener = Listener(place.bob, None, sink)
    serve(place, listener)
    assert sink.sequences == list(range(1, fits + 1))
    place.store.acknowledge(place.bob, 1)
    serve(place, listener)
    assert sink.sequences == [1, 2, 3]


def test_the_window_counts_the_messages_that_earlier_batches_left_out(place: Place, sink: RecordingSink) -> None:
    listener = Listener(place.bob, None, sink)
    for text in (b"x" * HALF, b"y" * (HALF - 1), b"z" * 2, b"w"):
        place.send(text)
        serve(place, listener)
    assert sink.sequences == [1, 2]
    place.store.acknowledge(place.bob, 1)
    serve(place, listener)
    assert sink.sequences == [1, 2, 3, 4]


def test_one_message_of_any_size_is_sent(place: Place, sink: RecordingSink) -> None:
    place.send(b"x" * (3 * WINDOW_SIZE), b"y" * (2 * WINDOW_SIZE))
    listener = Listener(place.bob, None, sink)
    serve(place, listener)
    assert sink.sequences == [1]
    place.store.acknowledge(place.bob, 1)
    serve(place, listener)
    assert sink.sequences == [1, 2]


def test_a_sequence_beyond_the_cursor_is_where_the_window_starts(place: Place, sink: RecordingSink) -> None:
    place.send(*[b"x"] * 600)
    listener = Listener(place.bob, 300, sink)
    serve(place, listener)
    assert (sink.opening.resumed_after, sink.opening.replaying) == (300, 300)
    assert sink.sequences == list(range(301, 557))


def test_messages_before_the_cursor_can_be_read_again(place: Place, sink: RecordingSink) -> None:
    place.send(*[b"x"] * 300)
    place.store.acknowledge(place.bob, 290)
    listener = Listener(place.bob, 0, sink)
    serve(place, listener)
    assert sink.sequences == list(range(1, 301))


def test_it_starts_at_the_sessions_cursor(place: Place, sink: RecordingSink) -> None:
    place.send(b"one", b"two", b"three")
    place.store.acknowledge(place.bob, 2)
    # A new session starts at the cursor of the account.
    session = place.another_session()
    serve(place, Listener(session, None, sink))
    assert (sink.opening.resumed_after, sink.sequences) == (2, [3])


def test_a_gap_over_everything_is_in_the_opening(place: Place, sink: RecordingSink) -> None:
    place.send(b"one", b"two", b"three")
    remove_through(place, 3)
    listener = Listener(place.bob, 1, sink)
    serve(place, listener)
    assert sink.events == [Opening(place.store.epoch, place.bob.account_id, 1, 0, Gap(2, 3, GapReason.RETENTION))]
    place.send(b"four")
    serve(place, listener)
    assert (sink.sequences, sink.gaps) == ([4], [])


def test_a_gap_after_the_window_is_sent_once(place: Place, sink: RecordingSink) -> None:
    place.send(*[b"x"] * 300)
    listener = Listener(place.bob, None, sink)
    serve(place, listener)
    remove_through(place, 300)
    place.store.acknowledge(place.bob, 256)
    serve(place, listener)
    serve(place, listener)
    assert sink.gaps == [Gap(257, 300, GapReason.RETENTION)]
    place.send(b"and on")
    serve(place, listener)
    assert sink.sequences == [*range(1, 257), 301]


def test_sent_messages_that_retention_removes_are_no_gap(place: Place, sink: RecordingSink) -> None:
    place.send(b"one", b"two")
    listener = Listener(place.bob, None, sink)
    serve(place, listener)
    remove_through(place, 2)
    place.send(b"three")
    serve(place, listener)
    assert (sink.sequences, sink.gaps) == ([1, 2, 3], [])


def test_messages_that_a_broken_stream_did_not_take_do_not_count_as_sent(place: Place, sink: RecordingSink) -> None:
    place.send(b"one")
    listener = Listener(place.bob, None, sink)
    listener.step(place.store)
    sink.abort()
    assert not listener.step(place.store)
    assert listener.sent_through == 0


def test_an_ended_session_and_a_sequence_past_the_end_are_errors(place: Place, sink: RecordingSink) -> None:
    with pytest.raises(CursorPastEnd):
        Listener(place.bob, 1, sink).step(place.store)
    listener = Listener(place.bob, None, sink)
    listener.step(place.store)
    place.store.end_session(place.bob)
    with pytest.raises(SessionInvalid):
        listener.step(place.store)


class ListeningMachine(RuleBasedStateMachine):
    """A client that drops by sequence the messages that it has shown, and a stream that may break after any event."""

    def __init__(self, new_place: Callable[[], Place]) -> None:
        super().__init__()
        self.place = new_place()
        self.sent = self.removed = 0
        # The client's last sequence that was shown or in a gap, and the last that it acknowledged.
        self.seen = self.acknowledged = 0
        self.shown: list[int] = []
        self.missing: set[int] = set()
        self.connect(own=False)

    @rule(sizes=st.lists(st.integers(0, 60), min_size=1, max_size=7))
    def append(self, sizes: list[int]) -> None:
        self.place.send(*(b"%d " % (self.sent + number) + b"x" * size for number, size in enumerate(sizes, 1)))
        self.sent += len(sizes)

    @rule(is_read=st.booleans())
    def step(self, is_read: bool) -> None:
        """Let the listener work. The client reads at once or much later, or the stream breaks before it reads."""
        self.note_start()
        self.listener.step(self.place.store)
        if is_read:
            self.read()

    @rule(share=st.floats(0, 1))
    def acknowledge_some(self, share: float) -> None:
        self.acknowledge(share)

    def acknowledge(self, share: float) -> None:
        """Acknowledge some of the messages that the client has seen. Fewer than before is harmless."""
        through = round(share * self.seen)
        self.place.store.acknowledge(self.place.bob, through)
        self.acknowledged = max(self.acknowledged, through)

    @rule(own=st.booleans())
    def connect(self, own: bool) -> None:
        """Start after the last message that the client has seen, or at the cursor on the server."""
        self.own_start = self.seen if own else None
        self.sink = RecordingSink()
        self.listener = Listener(self.place.bob, self.own_start, self.sink)
        self.events_read = 0
        # The last sequence on this stream. -1: the stream is not open.
        self.last = -1

    @rule(share=st.floats(0, 0.4))
    def retain(self, share: float) -> None:
        """Remove some of the oldest messages, whether the client has seen them or not."""
        self.removed += round(share * (self.sent - self.removed))
        remove_through(self.place, self.removed)

    @invariant()
    def the_window_holds(self) -> None:
        out = [message for message in self.sink.messages if message.sequence > self.acknowledged]
        assert len(out) <= module.WINDOW_MESSAGES
        assert len(out) <= 1 or sum(len(message.content) for message in out) <= module.WINDOW_SIZE

    def read(self) -> None:
        """Read the new events of the stream. Each must follow the one before without a hole."""
        events, self.events_read = self.sink.events[self.events_read :], len(self.sink.events)
        for event in events:
            if isinstance(event, Opening):
                assert (self.last, event.resumed_after) == (-1, self.expected_start)
                self.last = event.resumed_after
                if event.gap is not None:
                    self.miss(event.gap)
            elif isinstance(event, Gap):
                self.miss(event)
            elif isinstance(event, MessageBatch):
                for message in event.messages:
                    self.show(message)

    def note_start(self) -> None:
        """Note where the stream starts, if this event opens it."""
        if not self.sink.events:
            self.expected_start = self.acknowledged if self.own_start is None else self.own_start

    def miss(self, gap: Gap) -> None:
        assert gap.first == self.last + 1
        assert gap.last <= self.removed
        self.last = gap.last
        self.missing.update(range(max(gap.first, self.seen + 1), gap.last + 1))
        self.seen = max(self.seen, gap.last)

    def show(self, message: Message) -> None:
        assert message.sequence == self.last + 1
        assert message.content.startswith(b"%d " % message.sequence)
        self.last = message.sequence
        if message.sequence > self.seen:
            self.shown.append(message.sequence)
            self.seen = message.sequence

    def teardown(self) -> None:
        """In the end every message has come once and in order, except those that a gap has named."""
        self.read()
        for _ in range(self.sent + 1):
            self.acknowledge(1.0)
            self.note_start()
            serve(self.place, self.listener)
            self.read()
        assert self.shown == sorted(set(range(1, self.sent + 1)) - self.missing)
        self.place.store.close()


def test_any_order_of_events_shows_everything_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WINDOW_MESSAGES", 5)
    monkeypatch.setattr(module, "WINDOW_SIZE", 150)
    numbers = itertools.count()

    class Machine(ListeningMachine):
        def __init__(self) -> None:
            super().__init__(lambda: Place(tmp_path / f"{next(numbers)}.db"))

    run_state_machine_as_test(
        Machine,
        settings=settings(max_examples=60, stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow]),
    )


@pytest.fixture
def up_to_date(place: Place, sink: RecordingSink, monkeypatch: pytest.MonkeyPatch) -> Listener:
    """A listener that got a message without a read of the log."""
    monkeypatch.setattr(module, "READ_INTERVAL", 3_600.0)
    listener = Listener(place.bob, None, sink)
    serve(place, listener)
    place.send(b"one")
    serve(place, listener)
    place.send(b"two")
    with monkeypatch.context() as patched:
        # A read of the log would fail.
        patched.delattr(type(place.store), "after")
        serve(place, listener)
    assert sink.sequences == [1, 2]
    return listener


@pytest.mark.parametrize("more", [0, 1, 2, 3])
def test_an_ended_session_is_noticed_before_any_number_of_later_messages(
    place: Place, sink: RecordingSink, up_to_date: Listener, more: int
) -> None:
    place.store.end_session(place.bob)
    for _ in range(more):
        place.send(b"later")
    with pytest.raises(SessionInvalid):
        serve(place, up_to_date)
    assert sink.sequences == [1, 2]


def test_an_acknowledgement_is_noticed_before_any_later_messages(
    place: Place, sink: RecordingSink, up_to_date: Listener
) -> None:
    place.store.acknowledge(place.bob, 2)
    place.send(b"three")
    serve(place, up_to_date)
    assert sink.sequences == [1, 2, 3]
    assert up_to_date._out is not None
    assert [sequence for sequence, _ in up_to_date._out] == [3]


def test_an_up_to_date_listener_still_reads_now_and_then(
    place: Place, sink: RecordingSink, up_to_date: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    with apsw.Connection(str(place.path)) as connection:
        # The store gives no hint of this.
        connection.execute("DELETE FROM sessions WHERE session_id = ?", (place.bob.session_id,))
    place.send(b"three")
    serve(place, up_to_date)
    assert sink.sequences == [1, 2, 3]
    place.send(b"four")
    monkeypatch.setattr(module, "READ_INTERVAL", 0.0)
    with pytest.raises(SessionInvalid):
        serve(place, up_to_date)


def test_streams_that_were_opened_at_once_read_at_different_times(place: Place) -> None:
    listeners = [Listener(place.bob, None, RecordingSink()) for _ in range(20)]
    for listener in listeners:
        serve(place, listener)  # opens
        serve(place, listener)  # reads
    times = [listener._read_time for listener in listeners]
    assert max(times) - min(times) > module.READ_INTERVAL / 8
