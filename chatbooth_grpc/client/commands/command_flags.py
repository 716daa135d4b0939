"""The commands and the flags of each, with what their help says."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NamedTuple

from chatbooth_grpc.client.commands import argument_values as values
from chatbooth_grpc.client.commands.command_parser import CommandParser, flag_value, positional
from chatbooth_grpc.client.failures.invocation import is_first_command_line
from chatbooth_grpc.server_address import DEFAULT_SERVER

DEFAULT_TIMEOUT = "10"

STANDARD_INPUT = "-"

_SEND_EPILOG = """\
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


OMITTED: Any = object()
"""Stands for a TEXT that was not given."""


class SharedFlag(NamedTuple):
    """A flag with a value that every command takes, and the variable that stands in for it."""

    name: str
    dest: str
    variable: str
    default: str | None
    convert: Callable[[str], object]
    metavar: str
    help: str


SHARED_FLAGS = (
    SharedFlag(
        "--server",
        "server",
        "CHATBOOTH_SERVER",
        DEFAULT_SERVER,
        values.server,
        "[wire://]HOST:PORT",
        f"the server's address (environment: CHATBOOTH_SERVER; default: {DEFAULT_SERVER})",
    ),
    SharedFlag(
        "--as",
        "as_user",
        "CHATBOOTH_AS",
        None,
        values.words,
        "USER",
        "which of several accounts that are logged in is to act (environment: CHATBOOTH_AS)",
    ),
    SharedFlag(
        "--timeout",
        "timeout",
        "CHATBOOTH_TIMEOUT",
        DEFAULT_TIMEOUT,
        values.seconds,
        "SECONDS",
        "how long a call may take, retries included (environment: CHATBOOTH_TIMEOUT; default: 10)",
    ),
)


def add_shared_flags(parser: CommandParser, *, default: str | None) -> None:
    """Add the flags that may stand before or after the command; only before it have they a default."""
    for flag in SHARED_FLAGS:
        is_hidden = flag.name == "--server" and is_first_command_line()
        parser.add_flag(
            flag.name,
            dest=flag.dest,
            metavar=flag.metavar,
            type=flag_value(flag.convert),
            default=default,
            help=argparse.SUPPRESS if is_hidden else flag.help,
        )
    parser.add_flag(
        "--json",
        action="store_true",
        default=False if default is None else default,
        help="print JSON, one object a line",
    )
    parser.add_flag(
        "-q",
        "--quiet",
        action="store_true",
        default=False if default is None else default,
        help="print data and errors alone, for cron",
    )


def _add_none(_parser: CommandParser) -> None:
    """A command without flags of its own."""


def _add_log_in(parser: CommandParser) -> None:
    parser.add_argument(
        "username",
        type=positional(values.words),
        nargs="?",
        metavar="USERNAME",
        help="default: --as, or else it is asked for",
    )
    _add_password_flag(parser, "the password, a line,")


def _add_passwd(parser: CommandParser) -> None:
    _add_password_flag(parser, "the old and the new password, two lines,")


def _add_delete(parser: CommandParser) -> None:
    parser.add_flag("--yes", action="store_true", help="do not ask whether it is meant")
    _add_password_flag(parser, "the password, a line,")


def _add_password_flag(parser: CommandParser, what: str) -> None:
    parser.add_flag("--password-stdin", action="store_true", help=f"read {what} from standard input")


def _add_list(parser: CommandParser) -> None:
    parser.add_argument(
        "pattern",
        type=positional(values.words),
        nargs="?",
        default="",
        metavar="PATTERN",
        help="an RE2 regular expression to find anywhere in a name, ignoring case; default: all names",
    )
    parser.add_flag(
        "--prefix", type=flag_value(values.words), default="", help="what a name must start with; fast on large servers"
    )


def _add_send(parser: CommandParser) -> None:
    parser.usage = "%(prog)s [FLAG ...] USER [TEXT]\n       %(prog)s [FLAG ...] --from-file FILE"
    parser.epilog = _SEND_EPILOG
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
        """Keeps the file's name, and makes USER one that need not be given."""

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


def _add_listen(parser: CommandParser) -> None:
    parser.add_flag("--max", dest="most", type=flag_value(values.count), metavar="N", help="stop after N messages")


def _add_outbox(parser: CommandParser) -> None:
    parser.add_flag("--send", action="store_true", help="try to send what is queued first")
    parser.add_flag(
        "--drop", type=flag_value(values.message_id), metavar="HEX", help="forget the message with this id first"
    )


def _add_deliver(parser: CommandParser) -> None:
    parser.add_flag("--keep", action="store_true", help="only look: acknowledge nothing, so that all comes again")
    parser.add_flag(
        "--after",
        type=flag_value(values.sequence),
        metavar="N",
        help="start after the message numbered N instead of after the last acknowledged, also if shown before",
    )
    parser.add_flag("--max", dest="most", type=flag_value(values.count), metavar="N", help="stop after N messages")


COMMANDS: dict[str, tuple[str, Callable[[CommandParser], None]]] = {
    "signup": ("make an account, and log in", _add_log_in),
    "login": ("log in to an account", _add_log_in),
    "logout": ("end the session", _add_none),
    "whoami": ("print who is logged in, if the session is alive", _add_none),
    "passwd": ("change the password, and end the account's other sessions", _add_passwd),
    "list": ("print the usernames that a pattern finds", _add_list),
    "send": ("send a message, or very many from a file", _add_send),
    "deliver": ("print the messages that wait, and acknowledge them", _add_deliver),
    "listen": ("print the messages that wait and those that come, until Ctrl-C", _add_listen),
    "outbox": ("print what is queued to be sent, and what was refused", _add_outbox),
    "delete": ("delete the account, its sessions and all messages in its mailbox", _add_delete),
}
"""Each command, in the order of --help: what it does, and what adds its flags."""


def text_or_input(word: str) -> str | None:
    """Return the text that a word stands for; None: standard input. A `-` after `--` is a text."""
    return None if word == STANDARD_INPUT else _literal_text(word)


_literal_text = positional(values.words)
