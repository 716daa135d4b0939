"""Running what the command line says: the ways in and out, then the command or the menu.

What only some commands need is imported when they run: it would take others longer than to be done.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from chatbooth_grpc.booth.model import MAX_TEXT_SIZE
from chatbooth_grpc.client.commands import commands
from chatbooth_grpc.client.commands.context import Context
from chatbooth_grpc.client.failures.failures import Misuse
from chatbooth_grpc.client.failures.interrupts import Interrupts
from chatbooth_grpc.client.state.session_directory import SessionDirectory, state_directory
from chatbooth_grpc.client.terminal.output import Output
from chatbooth_grpc.client.terminal.passwords import Passwords
from chatbooth_grpc.client.terminal.prompts import Prompts


def run(parsed: argparse.Namespace, output: Output, interrupts: Interrupts) -> None:
    """Run the command, or without one the menu. Raises ChatboothError, CommandFailure, OSError, Interrupted."""
    context = _context(parsed, output, interrupts)
    if parsed.command is None:
        from chatbooth_grpc.client.commands.menu import run_menu

        run_menu(context)
    else:
        _COMMANDS[parsed.command](context, parsed)


def _context(parsed: argparse.Namespace, output: Output, interrupts: Interrupts) -> Context:
    prompts = Prompts(sys.stdin.buffer, sys.stderr)
    piped_menu = parsed.command is None and not prompts.is_terminal
    passwords = Passwords(prompts, os.environ, from_stdin=piped_menu or getattr(parsed, "password_stdin", False))
    sessions = SessionDirectory(state_directory(), parsed.server)
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
    )


def _username(context: Context, parsed: argparse.Namespace) -> str:
    """Return whom to sign up or log in."""
    given: str | None = parsed.username or context.as_user
    if given:
        return given
    if parsed.password_stdin or not context.prompts.is_terminal:
        raise Misuse("Say which user: give a USERNAME.")
    try:
        return context.prompts.line("Username: ").strip()
    except EOFError as error:
        raise Misuse("No username was given.") from error


def _send(context: Context, parsed: argparse.Namespace) -> None:
    if parsed.from_file is not None:
        from chatbooth_grpc.client.commands.importing import import_messages

        import_messages(context, parsed.from_file)
        return
    context.pick()  # who is not logged in should not have to type the text first
    text = parsed.text
    if text is None and context.prompts.is_terminal:
        context.output.say("Type the text, then Ctrl-D on a line of its own.")
    if text is None:
        text = context.prompts.rest(MAX_TEXT_SIZE)
    if parsed.queue:
        from chatbooth_grpc.client.commands.queueing import send_queued

        send_queued(context, parsed.recipient, text, parsed.message_id)
    else:
        commands.send(context, parsed.recipient, text, parsed.message_id)


def _deliver(context: Context, parsed: argparse.Namespace) -> None:
    from chatbooth_grpc.client.commands.delivering import deliver

    deliver(context, after=parsed.after, most=parsed.most, keep=parsed.keep)


def _listen(context: Context, parsed: argparse.Namespace) -> None:
    from chatbooth_grpc.client.commands.live import listen

    listen(context, most=parsed.most)


def _show_outbox(context: Context, parsed: argparse.Namespace) -> None:
    from chatbooth_grpc.client.commands.queueing import show_outbox

    show_outbox(context, send=parsed.send, drop=parsed.drop)


_COMMANDS: dict[str, Callable[[Context, argparse.Namespace], None]] = {
    "signup": lambda context, parsed: commands.sign_up(context, _username(context, parsed)),
    "login": lambda context, parsed: commands.log_in(context, _username(context, parsed)),
    "logout": lambda context, _: commands.log_out(context),
    "whoami": lambda context, _: commands.who_am_i(context),
    "passwd": lambda context, _: commands.change_password(context),
    "list": lambda context, parsed: commands.list_accounts(context, parsed.pattern, parsed.prefix),
    "send": _send,
    "deliver": _deliver,
    "listen": _listen,
    "outbox": _show_outbox,
    "delete": lambda context, parsed: commands.delete(context, confirmed=parsed.yes),
}
