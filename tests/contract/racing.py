"""Callables run at once, each in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from chatbooth_grpc.booth.errors import ChatboothError


def race(contestants: Sequence[Callable[[], object]]) -> list[Any]:
    """Start all at one moment; return what each returned, or the ChatboothError that it raised, in their order.

    Any other exception is raised here. Threads that never end do not outlive the process, nor keep a test's timeout
    from ending the test.
    """
    start = threading.Barrier(len(contestants))
    results: dict[int, object] = {}
    failures: list[BaseException] = []

    def run(number: int) -> None:
        start.wait()
        try:
            results[number] = contestants[number]()
        except ChatboothError as refusal:
            results[number] = refusal
        except BaseException as failure:  # noqa: BLE001  # raised again below, in the test's own thread
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(len(contestants))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [results[number] for number in range(len(contestants))]
