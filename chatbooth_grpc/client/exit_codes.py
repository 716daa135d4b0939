"""The exit codes of the command line, as its --help explains them."""

from __future__ import annotations

OK = 0
FAILED = 1
USAGE = 2
NOT_AUTHENTICATED = 3
UNREACHABLE = 4
NOT_FOUND = 5
INTERRUPTED = 130
BROKEN_PIPE = 141
"""As a shell reports a program that SIGINT or SIGPIPE ended: 128 and the signal's number."""
