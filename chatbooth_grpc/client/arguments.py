"""The command line: its commands, flags and help; and the environment variables that stand in for flags."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from chatbooth_grpc import __version__
from chatbooth_grpc.client import argument_values as values
from chatbooth_grpc.client.address import DEFAULT_SERVER
from chatbooth_grpc.client.command_parser import (
    HELP,
    CommandParser,
    did_you_mean,
    flag_value,
    mark_literals,
    positional,
)
from chatbooth_grpc.client.invocation import is_first_command_line, program
from chatbooth_grpc.environment import value_of

DEFAULT_TIMEOUT = "10"

STANDARD_INPUT = "-"

_EPILOG = """\
Without a command: a menu of numbered choices.

Passwords are asked for; or read from standard input with --password-stdin; or
taken from the environment: CHATBOOTH_PASSWORD and, for the new one of passwd,
CHATBOOTH_NEW_PASSWORD. A session is kept for each server and user, readable by
you alone, in $XDG_STATE_HOME/chatbooth or else ~/.local/state/chatbooth.

Data goes to standard output, words to standard error. With --json each datum
and each result is one JSON object on a line, and an error is one JSON object
on standard error. For a person, control and other deceptive characters are
made visible as escapes; JSON is exact.

exit codes:
  0  done
  1  failed
  2  the command or its input is wrong
  3  not authenticated: not logged in, session ended, wrong password
  4  the server is unreachable, or did not answer in time
  5  not found
  6  done, but the result could not be written to standard output or standard
     error; the command says so on the other of the two, if that is possible.
     Do not repeat it
  129  ended because its terminal was closed (SIGHUP)
  130  ended by Ctrl-C
  141  ended because the program that reads its output had ended
  143  ended by SIGTERM
"""

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


_SEND_HINT = "A text that begins with - stands after --, as in: send USER -- TEXT"

_OMITTED: Any = object()
"""Stands for a TEXT that was not given."""


class _SharedFlag(NamedTuple):
    """A flag with a value that every command takes, and the variable that stands in for it."""

    name: str
    dest: str
    variable: str
    default: str | None
    convert: Callable[[str], object]
    metavar: str
    help: str


_SHARED_FLAGS = (
    _SharedFlag(
        "--server",
        "server",
        "CHATBOOTH_SERVER",
        DEFAULT_SERVER,
        values.server,
        "[wire://]HOST:PORT",
        f"the server's address (environment: CHATBOOTH_SERVER; default: {DEFAULT_SERVER})",
    ),
    _SharedFlag(
        "--as",
        "as_user",
        "CHATBOOTH_AS",
        None,
        values.words,
        "USER",
        "which of several accounts that are logged in is to act (environment: CHATBOOTH_AS)",
    ),
    _SharedFlag(
        "--timeout",
        "timeout",
        "CHATBOOTH_TIMEOUT",
        DEFAULT_TIMEOUT,
        values.seconds,
        "SECONDS",
        "how long a call may take, retries included (environment: CHATBOOTH_TIMEOUT; default: 10)",
    ),
)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags and, in `command`, which command it is (None: the menu). Exits with 2 if they are wrong."""
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    as_json = "--json" in (words[: words.index("--")] if "--" in words else words)
    index = _command_index(words)
    parser = _program_parser(as_json=as_json)
    parsed, left_over = parser.parse_known_args(words[:index])
    parser.refuse_left_over(left_over)
    parsed.command = None
    if index < len(words):
        parsed.command = words[index]
        if parsed.command not in COMMANDS:
            parser.error(f"there is no command {parsed.command!r}{did_you_mean(parsed.command, COMMANDS)}")
        parser = _command_parser(parsed.command, as_json=as_json)
        _parse_command(parser, parsed, words[index + 1 :])
    elif parsed.json or parsed.quiet:
        parser.error(f"--{'json' if parsed.json else 'quiet'} needs a command: the menu is for a person")
    _fill_in_defaults(parser, parsed)
    return parsed


def _command_index(words: Sequence[str]) -> int:
    """Return where the command stands, after the flags before it; the number of words if there is none."""
    with_value = {flag.name for flag in _SHARED_FLAGS}
    index = 0
    while index < len(words) and words[index].startswith("-"):
        index += 2 if words[index] in with_value else 1
    return min(index, len(words))


def _parse_command(parser: CommandParser, parsed: argparse.Namespace, words: Sequence[str]) -> None:
    """Add to `parsed` what the words after the command say."""
    if len(words) == 1 and words[0] in HELP:
        parser.show_help()
    marked = mark_literals(words)
    _, left_over = parser.parse_known_args(marked, parsed)
    if parsed.command == "send":
        left_over = _place_late_text(parser, parsed, left_over)
    parser.refuse_left_over(left_over)
    if parsed.command == "send":
        _check_send(parser, parsed, words)


def _place_late_text(parser: CommandParser, parsed: argparse.Namespace, left_over: list[str]) -> list[str]:
    """Take the text of `send USER --flag TEXT`, which argparse before 3.13 leaves over; return the other words."""
    if parsed.text is not _OMITTED or len(left_over) != 1:
        return left_over
    if left_over[0].startswith("-") and left_over[0] != STANDARD_INPUT:
        return left_over
    try:
        parsed.text = _text(left_over[0])
    except argparse.ArgumentTypeError as error:
        parser.error(f"argument TEXT: {error}")
    return []


def _check_send(parser: CommandParser, parsed: argparse.Namespace, words: Sequence[str]) -> None:
    """Let no text come from standard input unless that was asked for, and nothing contradict --from-file."""
    if parsed.from_file is not None:
        _check_from_file(parser, parsed)
    if parsed.text is _OMITTED:
        # A word after USER that looks like a flag may be the text of a script.
        if parsed.from_file is None and words[-1] != parsed.recipient:
            parser.error(f"no TEXT after {parsed.recipient!r}; a single - there reads it from standard input")
        parsed.text = None


def _check_from_file(parser: CommandParser, parsed: argparse.Namespace) -> None:
    """Let nothing stand beside --from-file that the lines of the file say themselves."""
    if parsed.recipient is not None:
        parser.error("--from-file: the file names the recipients and the texts; leave USER and TEXT out")
    if parsed.message_id is not None:
        parser.error("--from-file: the file's lines have ids of their own; leave --message-id out")
    if parsed.queue:
        parser.error("--from-file: a run that is cut off goes on when repeated; leave --queue out")


def _fill_in_defaults(parser: CommandParser, parsed: argparse.Namespace) -> None:
    """Let the environment, or else the default, give each shared flag that the command line does not."""
    for flag in _SHARED_FLAGS:
        if getattr(parsed, flag.dest) is not None:
            continue
        text = value_of(flag.variable, os.environ) or flag.default
        try:
            setattr(parsed, flag.dest, None if text is None else flag.convert(text))
        except argparse.ArgumentTypeError as error:
            parser.error(f"{flag.variable}: {error}")


def _program_parser(*, as_json: bool) -> CommandParser:
    """Return the parser of what stands before the command."""
    width = max(map(len, COMMANDS))
    commands = "".join(f"    {name:{width}}  {words}\n" for name, (words, _) in COMMANDS.items())
    parser = CommandParser(
        program(),
        as_json=as_json,
        takes_words=False,
        usage="%(prog)s [FLAG ...] [COMMAND ...]",
        description="Chat: each message arrives once, in order, also for who was away.",
        epilog=f"commands ('COMMAND --help' lists a command's flags):\n{commands}\n{_EPILOG}",
    )
    parser.add_flag("--version", action="version", version=f"chatbooth {__version__}")
    _add_shared_flags(parser, default=None)
    return parser


def _command_parser(name: str, *, as_json: bool) -> CommandParser:
    """Return the parser of what stands after a command."""
    words, add_flags = COMMANDS[name]
    parser = CommandParser(
        f"{program()} {name}",
        as_json=as_json,
        hint=_SEND_HINT if name == "send" else "",
        description=f"{words[0].upper()}{words[1:]}.",
    )
    _add_shared_flags(parser, default=argparse.SUPPRESS)
    add_flags(parser)
    return parser


def _add_shared_flags(parser: CommandParser, *, default: str | None) -> None:
    """Add the flags that may stand before or after the command; only before it have they a default."""
    for flag in _SHARED_FLAGS:
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
        type=_text,
        nargs="?",
        default=_OMITTED,
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


def _text(word: str) -> str | None:
    """Return the text that a word stands for; None: standard input. A `-` after `--` is a text."""
    return None if word == STANDARD_INPUT else _literal_text(word)


_literal_text = positional(values.words)
