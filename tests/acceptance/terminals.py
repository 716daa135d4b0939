"""Questions at a terminal, and the answers that a test types."""

from __future__ import annotations

from collections.abc import Callable

import pexpect

Terminal = Callable[..., "pexpect.spawn[str]"]


def code(child: pexpect.spawn[str]) -> int | None:
    """Return the exit code of a command that ends by itself."""
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def answer(child: pexpect.spawn[str], question: str, typed: str) -> None:
    """Wait for a question, and type an answer."""
    child.expect_exact(question)
    child.sendline(typed)


def secret(child: pexpect.spawn[str], question: str, typed: str) -> None:
    """Wait for a question for a password, and type the password once the terminal has stopped echoing."""
    child.expect_exact(question)
    child.waitnoecho(60)
    assert not child.getecho()
    child.sendline(typed)
