"""The standard streams of a program: opened at its start if closed, flushed at its end."""

from __future__ import annotations

import os
import sys

_INPUT, _OUTPUT, _ERROR = range(3)

# Reading from the null device gives the end of input. Writing to it drops words that the caller does not want. But data
# must not vanish, so standard output is opened for reading alone: then it refuses everything that is written to it.
_MODES = {_INPUT: os.O_RDONLY, _OUTPUT: os.O_RDONLY, _ERROR: os.O_WRONLY}


def open_closed_streams() -> None:
    """Open the null device in place of each standard stream that was closed before the program began.

    Call this before anything else opens a file. Otherwise the next file or socket would get the number of a closed
    stream, and words would be written into it.
    """
    for number, mode in _MODES.items():
        if not _is_open(number):
            # The system gives the lowest free number, and all numbers below this one are open by now.
            os.set_inheritable(os.open(os.devnull, mode), True)
    if sys.stdin is None:
        sys.stdin = open(_INPUT, closefd=False)  # noqa: SIM115  # it stays open as long as the program
    if sys.stdout is None:
        sys.stdout = open(_OUTPUT, "w", closefd=False)  # noqa: SIM115
    if sys.stderr is None:
        sys.stderr = open(_ERROR, "w", buffering=1, closefd=False)  # noqa: SIM115


def settle_streams() -> OSError | None:
    """Flush standard output and standard error. Return the error of standard output, if it cannot be flushed.

    Data that cannot be written is dropped. Otherwise the interpreter would try again at its end, complain, and exit
    with a code of its own.
    """
    failure = None
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            failure = error if stream is sys.stdout else failure
    return failure


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
