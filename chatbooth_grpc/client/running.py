"""Running what the command line says: the ways in and out, then the command or the menu."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Callable

from chatbooth_grpc.booth.model import MAX_TEXT_SIZE
from chatbooth_grpc.client import commands
from chatbooth_grpc.client.context import Context
from chatbooth_grpc.client.delivering import deliver
from chatbooth_grpc.client.failures import Misuse
from chatbooth_grpc.client.importing import import_messages
from chatbooth_grpc.client.live import listen
from chatbooth_grpc.client.menu import run_menu
from chatbooth_grpc.client.output import Output
from chatbooth_grpc.client.passwords import Passwords
from chatbooth_grpc.client.prompts import Prompts
from chatbooth_grpc.client.queueing import send_queued, show_outbox
from chatbooth_grpc.client.session_directory import SessionDirectory, state_directory


def run(parsed: argparse.Namespace, output: Output) -> None:
    """Run the command, or without one the menu. Raises ChatboothError, CommandFailure, OSError."""
    context = _context(parsed, output)
    if parsed.command is None:
        run_menu(context)
    else:
        _COMMANDS[parsed.command](context, parsed)


def _context(parsed: argparse.Namespace, output: Output) -> Context:
    prompts = Prompts(sys.stdin.buffer if sys.stdin else io.BytesIO(), sys.stderr)
    piped_menu = parsed.command is None and not prompts.is_terminal
    passwords = Passwords(prompts, os.environ, from_stdin=piped_menu or getattr(parsed, "password_stdin", False))
    return Context(
        server=parsed.server,
        as_user=parsed.as_user,
        timeout=parsed.timeout,
        sessions=SessionDirectory(state_directory(), parsed.server),
        output=output,
        prompts=prompts,
        passwords=passwords,
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
        import_messages(context, parsed.from_file)
        return
    context.pick()  # who is not logged in should not have to type the text first
    text = parsed.text
    if text is None and context.prompts.is_terminal:
        context.output.say("Type the text, then Ctrl-D on a line of its own.")
    if text is None or text == "-":
        text = context.prompts.rest(MAX_TEXT_SIZE)
    send = send_queued if parsed.queue else commands.send
    send(context, parsed.recipient, text, parsed.message_id)


_COMMANDS: dict[str, Callable[[Context, argparse.Namespace], None]] = {
    "signup": lambda context, parsed: commands.sign_up(context, _username(context, parsed)),
    "login": lambda context, parsed: commands.log_in(context, _username(context, parsed)),
    "logout": lambda context, _: commands.log_out(context),
    "whoami": lambda context, _: commands.who_am_i(context),
    "passwd": lambda context, _: commands.change_password(context),
    "list": lambda context, parsed: commands.list_accounts(context, parsed.pattern, parsed.prefix),
    "send": _send,
    "deliver": lambda context, parsed: deliver(context, after=parsed.after, most=parsed.most, keep=parsed.keep),
    "listen": lambda context, parsed: listen(context, most=parsed.most),
    "outbox": lambda context, parsed: show_outbox(context, send=parsed.send, drop=parsed.drop),
    "delete": lambda context, parsed: commands.delete(context, confirmed=parsed.yes),
}
