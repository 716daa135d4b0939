"""The progress of a run in words, on a clock that only the test moves."""

from __future__ import annotations

from chatbooth_grpc.client.terminal.progress import INTERVAL, Progress
from tests.seconds import Seconds


def shown(steps: list[tuple[float, int, int]], total: int | None) -> list[str]:
    """Return the words after steps of some seconds, in each of which some messages and bytes were done."""
    clock = Seconds()
    lines: list[str] = []
    progress = Progress(lines.append, total, clock)
    for seconds, count, done in steps:
        clock.sleep(seconds)
        progress.update(count, done)
    return lines


def test_the_line_has_count_part_speed_and_time_left() -> None:
    lines = shown([(1.0, 1_000, 25_000), (1.0, 3_000, 50_000)], 100_000)
    assert lines == ["1,000 sent, 25%, 1,000/s, 0:03 left", "3,000 sent, 50%, 1,500/s, 0:02 left"]


def test_without_a_known_end_the_line_has_count_and_speed() -> None:
    assert shown([(2.0, 3_000, 50_000)], None) == ["3,000 sent, 1,500/s"]


def test_an_empty_total_and_no_time_do_not_divide_by_zero() -> None:
    assert shown([(0.0, 0, 0)], 0) == ["0 sent"]


def test_before_the_first_message_there_is_no_time_left() -> None:
    assert shown([(1.0, 0, 0)], 100) == ["0 sent, 0%, 0/s"]


def test_the_line_is_renewed_a_few_times_a_second() -> None:
    steps = [(INTERVAL / 100, count, count) for count in range(1, 1_001)]
    assert 10 <= len(shown(steps, 1_000)) <= 11


def test_the_speed_is_that_of_the_last_seconds() -> None:
    slow = [(1.0, count, count) for count in range(1, 31)]
    fast = [(1.0, 30 + 1_000 * count, 30 + 1_000 * count) for count in range(1, 12)]
    lines = shown(slow + fast, 36_030 + 10_000 * 3600)
    assert lines[29].split(", ")[2:3] == ["1/s"]
    assert ", 1,000/s, " in lines[-1]
    assert lines[-1].endswith(" left")
    assert lines[-1].rpartition(", ")[2].count(":") == 2
