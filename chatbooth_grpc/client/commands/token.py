"""`token`: makes, prints and revokes the account's tokens for programs."""

from __future__ import annotations

from argparse import ArgumentTypeError
from typing import TYPE_CHECKING

from chatbooth_grpc.client.commands.parsing import argument_values as values
from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser, flag_value, positional
from chatbooth_grpc.client.commands.table import Command, refuse_left_over
from chatbooth_grpc.client.failures.invocation import command_line

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from chatbooth_grpc.booth.model import SessionEntry
    from chatbooth_grpc.client.commands.tasks.context import Context

_TASKS = ("create", "list", "revoke")

_EPILOG = """\
A program acts with a token by --token-file FILE or CHATBOOTH_TOKEN_FILE, in
send, deliver and listen. A token lives until it is revoked or expires, also
when the password is changed.
"""


def add_flags(parser: CommandParser) -> None:
    """Add what to do, the name of a token, and what a new one may do."""
    parser.usage = (
        "%(prog)s [FLAG ...] create NAME [--read] [--send-to USER | --send-to-anyone]\n"
        "       %(prog)s [FLAG ...] list\n"
        "       %(prog)s [FLAG ...] revoke NAME_OR_ID"
    )
    parser.epilog = _EPILOG
    parser.add_argument("task", type=positional(_task), metavar="create|list|revoke", help="what to do")
    parser.add_argument(
        "name",
        type=positional(values.words),
        nargs="?",
        metavar="NAME",
        help="its name; revoke takes its id too",
    )
    parser.add_flag("--read", action="store_true", help="the token may read the account's messages")
    parser.add_flag("--send-to", type=flag_value(values.words), metavar="USER", help="it may send to this one alone")
    parser.add_flag("--send-to-anyone", action="store_true", help="it may send to any account")
    parser.add_flag(
        "--expires",
        type=flag_value(values.lifetime),
        default=0,
        metavar="TIME",
        help="it expires after this time, such as 90d; without it, never",
    )
    parser.add_flag(
        "--output", type=flag_value(str), metavar="FILE", help="write it to this new file, which you alone can read"
    )


def _task(word: str) -> str:
    if word not in _TASKS:
        raise ArgumentTypeError(f"{word!r} is none of {', '.join(_TASKS)}")
    return word


def finish(parser: CommandParser, parsed: Namespace, _words: Sequence[str], left_over: list[str]) -> None:
    """Refuse words that do not belong together."""
    refuse_left_over(parser, parsed, _words, left_over)
    has_limits = bool(parsed.read or parsed.send_to or parsed.send_to_anyone)
    if (parsed.name is None) != (parsed.task == "list"):
        parser.error(f"{parsed.task} takes {'no' if parsed.task == 'list' else 'a'} NAME")
    if parsed.task != "create" and (has_limits or parsed.expires or parsed.output):
        parser.error(f"{parsed.task} takes none of create's flags")
    if parsed.task == "create" and not has_limits:
        parser.error("say what the token may do: --read, --send-to USER or --send-to-anyone")
    if parsed.send_to and parsed.send_to_anyone:
        parser.error("--send-to and --send-to-anyone exclude each other")


def run(context: Context, parsed: Namespace) -> None:
    """Make, print or revoke tokens."""
    if parsed.task == "create":
        from chatbooth_grpc.client.commands.tasks.token_making import create_token

        create_token(context, parsed)
    elif parsed.task == "list":
        show_tokens(context)
    else:
        revoke(context, parsed.name)


def show_tokens(context: Context) -> None:
    """Print the tokens of the account, one a line, the oldest first."""
    from chatbooth_grpc.client.commands.tasks.session_words import line_of, record_of

    found = 0
    with context.client_of(context.pick()) as client:
        for entry in client.sessions():
            if entry.limits is not None:
                context.output.datum(record_of(entry), line_of(entry))
                found += 1
    if not found:
        context.output.say("This account has no tokens.")


def revoke(context: Context, word: str) -> None:
    """End the token with a name or an id."""
    from chatbooth_grpc.client.failures.outcomes import outcome_unknown
    from chatbooth_grpc.client.terminal.display import harmless_line

    saved = context.pick()
    list_command = command_line(context.server, "--as", saved.username, "token", "list")
    with context.client_of(saved) as client:
        entry = _found(list(client.sessions()), word)
        with outcome_unknown(f"Whether the token was revoked is not known. To find out, type: {list_command}"):
            client.end_session(entry.session_id)
    record = {"session_id": entry.session_id, "label": entry.label, "ended": True}
    context.output.result(record, f"Revoked the token {harmless_line(entry.label)} (id {entry.session_id}).")


def _found(entries: list[SessionEntry], word: str) -> SessionEntry:
    """Return the token of a name, or else of an id. Raises TokenNotFound."""
    from chatbooth_grpc.client.failures.token_failures import TokenNotFound

    tokens = [entry for entry in entries if entry.limits is not None]
    named = [entry for entry in tokens if entry.label == word]
    numbered = [entry for entry in tokens if str(entry.session_id) == word]
    for entry in named + numbered:
        return entry
    raise TokenNotFound(word)


COMMAND = Command(run, add_flags, finish)
