"""Asking at a terminal. Its modes are restored in every way in which a question ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import termios
from collections.abc import Iterator
from types import FrameType

from chatbooth_grpc.client.terminal.line_editor import LineEditor

_READ_SIZE = 65_536
# Seconds. Input that comes faster is pasted, input that comes more slowly is typed.
_SAME_PASTE = 0.03
_LOOK_INTERVAL = 0.2
_ENABLE_PASTE_MARKS = "\x1b[?2004h"
_DISABLE_PASTE_MARKS = "\x1b[?2004l"

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Signals that end this program at once. If one has a handler, the handler raises an exception instead."""


class Question:
    """One question at the terminal `fd`, which is open while `answer` runs.

    While it is open, the terminal hands over each key, shows nothing by itself, and marks each paste. Before a signal
    ends or stops this program, the terminal is restored. When the program continues, the question is shown again.
    """

    def __init__(self, fd: int, words: str, editor: LineEditor, *, echo: bool, flush: bool) -> None:
        """`flush` says to drop the input that was typed before the question was shown."""
        self._fd = fd
        self._words = words
        self._editor = editor
        self._echo = echo
        self._flush = flush
        self._marks_pastes = os.environ.get("TERM", "dumb") not in ("", "dumb")
        self._before = termios.tcgetattr(fd)
        # The descriptor by which to write to the terminal.
        self._screen = fd
        # Whether the terminal was closed before the answer was complete.
        self.is_gone = False

    def answer(self) -> None:
        """Read until the editor has the answer, or the end of input. Raises KeyboardInterrupt."""
        with _screen_of(self._fd) as self._screen, self._handling_signals():
            try:
                self._enter(termios.TCSAFLUSH if self._flush else termios.TCSADRAIN)
                while not self._editor.is_done:
                    self._read()
            finally:
                self._leave()
                # Only Ctrl-D on an empty line leaves the cursor at the start of one.
                if not (self._echo and self._editor.text.endswith("\n")):
                    self._write("\n")

    def _read(self) -> None:
        # Another thread may receive a signal. Python runs the handler on this thread, but only once this thread runs
        # Python code again. So each wait is short.
        while not self._has_input(_LOOK_INTERVAL):
            pass
        try:
            data = os.read(self._fd, _READ_SIZE)
        except OSError:
            # The terminal is gone.
            data = b""
        if not data:
            self.is_gone = self._editor.is_done = self._editor.is_end = True
            return
        more = data[-1:] in (b"\r", b"\n") and self._has_input(_SAME_PASTE)
        echo = self._editor.feed(data, more=more)
        if self._echo:
            self._write(echo)

    def _has_input(self, wait: float) -> bool:
        waiting = select.poll()
        waiting.register(self._fd, select.POLLIN)
        return bool(waiting.poll(1_000 * wait))

    def _enter(self, when: int) -> None:
        modes = [*self._before[:6], [*self._before[6]]]
        modes[0] &= ~(termios.ICRNL | termios.INLCR | termios.IGNCR | termios.ISTRIP)
        modes[3] = modes[3] & ~(termios.ICANON | termios.ECHO | termios.ECHONL | termios.IEXTEN) | termios.ISIG
        modes[6][termios.VMIN], modes[6][termios.VTIME] = 1, 0
        termios.tcsetattr(self._fd, when, modes)
        shown = self._editor.shown_line if self._echo else ""
        self._write((_ENABLE_PASTE_MARKS if self._marks_pastes else "") + self._words + shown)

    def _leave(self) -> None:
        if self._marks_pastes:
            self._write(_DISABLE_PASTE_MARKS)
        # The terminal may be gone.
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

    def _write(self, words: str) -> None:
        # The terminal may be gone. Reading from it says so too.
        with contextlib.suppress(OSError):
            data = words.encode("utf-8", "backslashreplace")
            while data:
                data = data[os.write(self._screen, data) :]

    @contextlib.contextmanager
    def _handling_signals(self) -> Iterator[None]:
        """Restore the terminal before a signal without another handler ends or stops this program."""
        handlers = {**dict.fromkeys(_ENDING, self._end), signal.SIGTSTP: self._stop, signal.SIGCONT: self._go_on}
        changed = [number for number in handlers if signal.getsignal(number) is signal.SIG_DFL]
        for number in changed:
            signal.signal(number, handlers[number])
        try:
            yield
        finally:
            for number in changed:
                signal.signal(number, signal.SIG_DFL)

    def _end(self, number: int, _frame: FrameType | None) -> None:
        self._leave()
        self._write("\n")
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._leave()
        self._write("\n")
        signal.signal(number, signal.SIG_DFL)
        # The program stops here until SIGCONT. If nobody is there to send SIGCONT, the system ignores the signal.
        os.kill(os.getpid(), number)
        signal.signal(number, self._stop)
        self._enter(termios.TCSADRAIN)

    def _go_on(self, _number: int, _frame: FrameType | None) -> None:
        # No handler sees SIGSTOP, so the terminal may have any modes now.
        self._enter(termios.TCSADRAIN)


@contextlib.contextmanager
def _screen_of(fd: int) -> Iterator[int]:
    """Give a descriptor by which to write to the terminal `fd`, which may be open for reading only, as `</dev/tty`."""
    if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY:
        yield fd
        return
    try:
        screen = os.open(os.ttyname(fd), os.O_WRONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        # For example, the name is one of another container.
        yield 2
        return
    try:
        yield screen
    finally:
        os.close(screen)
