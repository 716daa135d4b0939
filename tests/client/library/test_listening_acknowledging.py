"""Which messages a live stream acknowledges, and when."""

from __future__ import annotations

import threading

import pytest

from chatbooth_grpc.booth.errors import CursorPastEnd
from chatbooth_grpc.booth.model import Event
from chatbooth_grpc.client.library.listening import ACKNOWLEDGE_MESSAGES
from tests.client.library.breaking import LOST, OTHER_EPOCH, Breaking, batch, listening, opening, taken
from tests.client.scripted import EPOCH
from tests.waiting import wait_until


def test_nothing_is_acknowledged_before_the_server_has_given_its_epoch() -> None:
    """A sequence of an earlier epoch would move the cursor past messages that were never delivered."""
    after = 2 * ACKNOWLEDGE_MESSAGES
    restored: list[Event | Exception] = [opening(after, epoch=OTHER_EPOCH), batch(after + 1)]
    transport = Breaking([LOST], restored, [opening(2, 1, OTHER_EPOCH), batch(3)])
    with listening(transport, after=after, epoch=EPOCH) as stream:
        assert taken(stream, 3) == [0, 0, 3]
        assert transport.acknowledged == []
    assert transport.starts == [after, after, None]


def test_a_given_sequence_is_acknowledged_once_its_epoch_is_confirmed() -> None:
    after = 2 * ACKNOWLEDGE_MESSAGES
    transport = Breaking([LOST], [opening(after), batch(after + 1), batch(after + 2)])
    with listening(transport, after=after, epoch=EPOCH) as stream:
        assert taken(stream, 2) == [after + 1, after + 2]
    assert transport.acknowledged == [after + 1]


def test_the_callers_note_comes_before_the_acknowledgement() -> None:
    noted: list[tuple[bytes, int]] = []
    transport = Breaking([opening(), batch(1, 2), batch(3), LOST], [opening(3), batch(4)])

    def note(epoch: bytes, through: int) -> None:
        assert all(sequence < through for sequence in transport.acknowledged)
        noted.append((epoch, through))

    with listening(transport, on_taken=note) as stream:
        assert taken(stream, 4) == [1, 2, 3, 4]
    assert noted == [(EPOCH, 3)]
    assert transport.acknowledged == [3]


def test_a_sequence_that_cannot_be_noted_is_not_acknowledged() -> None:
    def fail(_epoch: bytes, _through: int) -> None:
        raise OSError("the disk is full")

    transport = Breaking([opening(), *(batch(number) for number in range(1, ACKNOWLEDGE_MESSAGES + 2))])
    stream = listening(transport, on_taken=fail, clock=lambda: 0.0)
    with pytest.raises(OSError, match="the disk is full"):
        taken(stream, ACKNOWLEDGE_MESSAGES + 1)
    assert transport.acknowledged == []
    with pytest.raises(OSError, match="the disk is full"):
        stream.close()
    assert transport.acknowledged == []


@pytest.mark.parametrize("first", [opening(9, epoch=OTHER_EPOCH), CursorPastEnd(9, 3)])
def test_a_sequence_of_a_lost_history_is_replaced_by_none(first: Event | Exception) -> None:
    noted: list[int] = []
    transport = Breaking([first], [opening(3, 1, OTHER_EPOCH), batch(4)], [opening(3, 1, OTHER_EPOCH), batch(4)])
    with listening(transport, after=9, epoch=EPOCH, on_taken=lambda _, through: noted.append(through)) as stream:
        assert taken(stream, 3) == [0, 0, 4]
    assert noted[0] == 0


def test_nothing_is_acknowledged_before_the_history_was_checked() -> None:
    transport = Breaking([opening(), batch(*range(1, ACKNOWLEDGE_MESSAGES + 2)), LOST], [LOST])
    lost: list[Exception] = []

    def note(error: Exception, _pause: float) -> None:
        lost.append(error)
        if len(lost) == 2:
            stream.close()

    stream = listening(transport, on_lost=note)
    assert len(taken(stream, 1)) == ACKNOWLEDGE_MESSAGES + 1
    # So the sequence is still not acknowledged when the connection is lost.
    transport.refusals.put(LOST)
    assert [*stream] == []
    assert len(lost) == 2
    assert transport.acknowledged == []


def test_taken_messages_are_acknowledged_once_the_history_was_checked() -> None:
    transport = Breaking([opening(), batch(1), LOST], [opening(1)])
    stream = listening(transport)
    assert taken(stream, 1) == [1]
    waiting = threading.Thread(target=lambda: list(stream))
    waiting.start()
    wait_until(lambda: bool(transport.acknowledged))
    stream.close()
    waiting.join(10)
    assert transport.acknowledged == [1]
    assert transport.starts == [None, 1]


def test_acknowledgements_come_for_taken_messages_only_and_not_for_each() -> None:
    count = ACKNOWLEDGE_MESSAGES
    batches: list[Event | Exception] = [opening(), *(batch(number) for number in range(1, count + 2))]
    transport = Breaking(batches)
    stream = listening(transport, clock=lambda: 0.0)
    assert taken(stream, count) == list(range(1, count + 1))
    assert transport.acknowledged == []
    next(stream)
    assert transport.acknowledged == [count]
    stream.close()
    # The caller has got the last one, but has not asked for the next.
    assert transport.acknowledged == [count]


def test_a_few_messages_are_acknowledged_a_little_later() -> None:
    transport = Breaking([opening(), batch(1)])
    transport.refusals.put(LOST)
    stream = listening(transport)
    assert taken(stream, 1) == [1]
    waiting = threading.Thread(target=lambda: list(stream))
    waiting.start()
    wait_until(lambda: bool(transport.acknowledged))
    stream.close()
    waiting.join(10)
    assert not waiting.is_alive()
    # The first acknowledgement was refused, and the second was not.
    assert transport.acknowledged == [1]


@pytest.mark.parametrize(("ending", "most"), [(KeyboardInterrupt, 0.5), (LookupError, 5.0)])
def test_after_an_interrupt_the_last_acknowledgement_has_little_time(ending: type[BaseException], most: float) -> None:
    transport = Breaking([opening(), batch(1), batch(2)])
    with pytest.raises(ending), listening(transport) as stream:  # noqa: PT012  # the end of the block is tested
        assert taken(stream, 2) == [1, 2]
        raise ending
    assert (transport.acknowledged, transport.timeouts) == ([1], [most])
