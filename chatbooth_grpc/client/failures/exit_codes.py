"""The exit codes of the command line, as its --help explains them."""

from __future__ import annotations

OK = 0
FAILED = 1
USAGE = 2
NOT_AUTHENTICATED = 3
UNREACHABLE = 4
NOT_FOUND = 5
UNPRINTED = 6
"""The command was done, but its result could not be written to the stream where it belongs."""

NOT_TRUSTED = 7
"""The client does not trust the server: its certificate is unknown or has changed. Nothing was sent."""

HUNG_UP = 129
INTERRUPTED = 130
BROKEN_PIPE = 141
TERMINATED = 143
"""A shell reports a program that a signal ended by 128 plus the signal's number.

The signals are SIGHUP, SIGINT, SIGPIPE and SIGTERM.
"""


def ended_by(number: int) -> int:
    """Return the exit code of a command that a signal ended."""
    return 128 + number
