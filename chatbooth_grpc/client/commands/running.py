"""Running the parsed command, or the menu, with the ways in and out of the program."""

# Modules that only some commands need are imported when those commands run. Importing them takes longer than other
# commands take to run.

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from chatbooth_grpc.client.commands.table import load
from chatbooth_grpc.client.commands.tasks.context import Context
from chatbooth_grpc.client.failures.interrupts import Interrupts
from chatbooth_grpc.client.library.security import Security
from chatbooth_grpc.client.state.session_directory import SessionDirectory, state_directory
from chatbooth_grpc.client.terminal.output import Output
from chatbooth_grpc.client.terminal.passwords import Passwords
from chatbooth_grpc.client.terminal.prompts import Prompts


def run(parsed: argparse.Namespace, output: Output, interrupts: Interrupts) -> None:
    """Run the command, or the menu if there is none. Raises ChatboothError, CommandFailure, OSError, Interrupted."""
    context = _context(parsed, output, interrupts)
    if parsed.command is None:
        from chatbooth_grpc.client.commands.menu import run_menu

        run_menu(context)
    else:
        load(parsed.command).run(context, parsed)


def _sessions(state: Path, parsed: argparse.Namespace) -> SessionDirectory:
    """Return the sessions to act with: those that are kept, or that of a token."""
    if parsed.token_file is None:
        return SessionDirectory(state, parsed.server)
    from chatbooth_grpc.client.state.token_sessions import TokenSessions

    return TokenSessions(state, parsed.server, Path(parsed.token_file))


def _context(parsed: argparse.Namespace, output: Output, interrupts: Interrupts) -> Context:
    prompts = Prompts(sys.stdin.buffer, sys.stderr)
    piped_menu = parsed.command is None and not prompts.is_terminal
    passwords = Passwords(prompts, os.environ, from_stdin=piped_menu or getattr(parsed, "password_stdin", False))
    state = state_directory()
    sessions = _sessions(state, parsed)
    sessions.move_former()
    return Context(
        server=parsed.server,
        as_user=parsed.as_user,
        timeout=parsed.timeout,
        sessions=sessions,
        output=output,
        prompts=prompts,
        passwords=passwords,
        interrupts=interrupts,
        security=Security(
            trust=parsed.trust or "",
            known=state / "servers",
            certificate=parsed.client_cert,
            key=parsed.client_key,
            insecure=parsed.insecure,
        ),
    )
