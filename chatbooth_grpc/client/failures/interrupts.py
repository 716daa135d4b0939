"""How Ctrl-C and other signals end a command: the first is raised, later ones are ignored."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from types import FrameType

from chatbooth_grpc.client.failures.exit_codes import ended_by

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

GRACE = 0.8
"""The seconds that an interrupted command has to say what it left open, and to end."""

_LOOK_INTERVAL = 0.02


class Interrupted(KeyboardInterrupt):
    """A signal asked the command to end.

    `open_end` is the failure to report for the call that was in flight. It is None if no call was.
    """

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = ended_by(number)
        self.open_end: Exception | None = None


class Interrupts:
    """The signals that end a command. Only the first counts: a second one must not cut off the last words.

    Python raises an interrupt on the main thread, as soon as that thread runs Python code. Another thread sees the
    signal at once, even if the main thread is blocked. It ends the process when the grace is over. So a call into the
    system or into a library that does not return cannot keep a command alive.
    """

    def __init__(self) -> None:
        self._number: int | None = None
        self._held = 0
        # How many of the blocks that hold interrupts may take longer than the grace.
        self._held_firmly = 0

    def __enter__(self) -> Interrupts:
        """Raise Interrupted for each signal that ends a command, unless the caller ignores that signal."""
        heard = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._arrived) for number in heard}
        reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._enforce, args=(reader, heard), name="interrupts", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        self._writer.close()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def held(self, *, may_block: bool = False) -> Iterator[None]:
        """Raise no interrupt inside the block. An interrupt that comes meanwhile is raised at the end of the block.

        `may_block` says that the block may wait for somebody. Then the end of the grace ends the process inside it.
        """
        self._held += 1
        self._held_firmly += not may_block
        try:
            yield
        finally:
            self._held_firmly -= not may_block
            self._held -= 1
        if self._number is not None and not self._held:
            raise Interrupted(self._number)

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        if self._number is not None:
            return
        self._number = number
        if not self._held:
            raise Interrupted(number)

    def _enforce(self, reader: socket.socket, heard: list[signal.Signals]) -> None:
        with reader:
            while (number := next(iter(reader.recv(1)), None)) not in heard:
                if number is None:
                    return
        time.sleep(GRACE)
        while self._held_firmly:
            time.sleep(_LOOK_INTERVAL)
        os._exit(ended_by(number))
