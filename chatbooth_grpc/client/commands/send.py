"""`send`: sends a message, or very many from a file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from chatbooth_grpc.client.commands.parsing import argument_values as values
from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser, flag_value, positional
from chatbooth_grpc.client.commands.table import Command

if TYPE_CHECKING:
    from chatbooth_grpc.client.commands.tasks.context import Context

STANDARD_INPUT = "-"

OMITTED: Any = object()
"""Stands for a TEXT that was not given."""

_HINT = "A text that begins with - stands after --, as in: send USER -- TEXT"

_EPILOG = """\
Each line of FILE is a JSON object, sent in the order of the lines:

  {"recipient": "ben", "text": "Hello!"}
  {"recipient": "ben", "text": "Hi!", "message_id": "(32 hex digits)"}

A line that is wrong or refused is reported with its number; the others are
sent. The exit code is 0 if all were. If the run is cut off, the same command
goes on where it stopped: it stores nothing twice, since a line without an id
has one that follows from the content of the whole file and the line's number.
So do not change the file before all is sent; and to send the same file again,
give its lines ids. From - or another pipe such lines have new ids in each run,
so that one that is cut off cannot be resumed.
"""


def add_flags(parser: CommandParser) -> None:
    """Add the recipient and the text, and the file that may hold them instead."""
    parser.usage = "%(prog)s [FLAG ...] USER [TEXT]\n       %(prog)s [FLAG ...] --from-file FILE"
    parser.epilog = _EPILOG
    recipient = parser.add_argument("recipient", type=positional(values.words), metavar="USER", help="whom to send to")
    parser.add_argument(
        "text",
        type=text_or_input,
        nargs="?",
        default=OMITTED,
        metavar="TEXT",
        help="the text; as it is after --; - or nothing after USER: standard input, less one line break at its end",
    )
    parser.add_flag(
        "--message-id",
        type=flag_value(values.message_id),
        metavar="HEX",
        help="the id, 32 hex digits, of a message to repeat: one that was stored is not stored again",
    )
    parser.add_flag(
        "--queue",
        action="store_true",
        help="accept the message even while the server is away: it is kept on disk, and goes out once, later",
    )

    class FromFile(argparse.Action):
        """Keeps the file's name, and makes USER optional."""

        def __call__(self, _parser: object, namespace: argparse.Namespace, file: object, _flag: object = None) -> None:
            setattr(namespace, self.dest, file)
            recipient.required = False

    parser.add_flag(
        "--from-file",
        action=FromFile,
        type=flag_value(str),
        metavar="FILE",
        help="send the messages that a file holds, one a line; -: standard input",
    )


def text_or_input(word: str) -> str | None:
    """Return the text that a word stands for. None stands for standard input. A `-` after `--` is a text."""
    return None if word == STANDARD_INPUT else _literal_text(word)


_literal_text = positional(values.words)


def finish(parser: CommandParser, parsed: argparse.Namespace, words: Sequence[str], left_over: list[str]) -> None:
    """Take the text that argparse left over, and refuse words that contradict each other."""
    parser.refuse_left_over(_place_late_text(parser, parsed, left_over))
    _check_words(parser, parsed, words)


def _place_late_text(parser: CommandParser, parsed: argparse.Namespace, left_over: list[str]) -> list[str]:
    """Take the text of `send USER --flag TEXT`, and return the other words. Before 3.13, argparse leaves it over."""
    if parsed.text is not OMITTED or len(left_over) != 1:
        return left_over
    if left_over[0].startswith("-") and left_over[0] != STANDARD_INPUT:
        return left_over
    try:
        parsed.text = text_or_input(left_over[0])
    except argparse.ArgumentTypeError as error:
        parser.error(f"argument TEXT: {error}")
    return []


def _check_words(parser: CommandParser, parsed: argparse.Namespace, words: Sequence[str]) -> None:
    """Refuse words that contradict --from-file. Read the text from standard input only if that was asked for."""
    if parsed.from_file is not None:
        _check_from_file(parser, parsed)
    if parsed.text is OMITTED:
        # A word after USER that looks like a flag may be the text of a script.
        if parsed.from_file is None and words[-1] != parsed.recipient:
            parser.error(f"no TEXT after {parsed.recipient!r}; a single - there reads it from standard input")
        parsed.text = None


def _check_from_file(parser: CommandParser, parsed: argparse.Namespace) -> None:
    """Refuse beside --from-file the words that the lines of the file hold themselves."""
    if parsed.recipient is not None:
        parser.error("--from-file: the file names the recipients and the texts; leave USER and TEXT out")
    if parsed.message_id is not None:
        parser.error("--from-file: the file's lines have ids of their own; leave --message-id out")
    if parsed.queue:
        parser.error("--from-file: a run that is cut off goes on when repeated; leave --queue out")


def run(context: Context, parsed: argparse.Namespace) -> None:
    """Send the message, queue it in the outbox, or send the messages of a file."""
    if parsed.from_file is not None:
        from chatbooth_grpc.client.commands.tasks.from_file import import_messages

        import_messages(context, parsed.from_file)
        return
    # Somebody who is not logged in should not have to type the text first.
    context.pick()
    text = _typed_text(context) if parsed.text is None else parsed.text
    if parsed.queue:
        from chatbooth_grpc.client.commands.tasks.queueing import send_queued

        send_queued(context, parsed.recipient, text, parsed.message_id)
    else:
        from chatbooth_grpc.client.commands.tasks.sending import send

        send(context, parsed.recipient, text, parsed.message_id)


def _typed_text(context: Context) -> str:
    from chatbooth_grpc.booth.model import MAX_TEXT_SIZE

    if context.prompts.is_terminal:
        context.output.say("Type the text, then Ctrl-D on a line of its own.")
    return context.prompts.rest(MAX_TEXT_SIZE)


COMMAND = Command(run, add_flags, finish, _HINT)
