"""The command line: its commands, flags and help; and the environment variables that stand in for flags."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Callable, Collection, Sequence
from typing import NoReturn

from chatbooth_grpc import __version__
from chatbooth_grpc.client.address import DEFAULT_SERVER, normal_address
from chatbooth_grpc.client.exit_codes import USAGE
from chatbooth_grpc.client.invocation import program
from chatbooth_grpc.client.message_ids import decode_message_id

DEFAULT_TIMEOUT = "10"

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
  130  ended by Ctrl-C
  141  ended because what its output is piped into had ended
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


class _JsonParser(argparse.ArgumentParser):
    """A parser whose errors, like all others with --json, are one JSON object."""

    def error(self, message: str) -> NoReturn:
        record = {"error": "USAGE", "message": message, "exit_code": USAGE, "details": {}}
        self.exit(USAGE, json.dumps(record) + "\n")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags and, in `command`, which command it is (None: the menu). Exits with 2 if they are wrong."""
    arguments = sys.argv[1:] if arguments is None else arguments
    kind = _JsonParser if "--json" in arguments else argparse.ArgumentParser
    parser = _parser(kind, arguments)
    parsed, left_over = parser.parse_known_args(arguments)
    if not _takes_late_text(parsed, left_over) and left_over:
        parser.error(f"unrecognized arguments: {' '.join(left_over)}")
    if parsed.json and parsed.command is None:
        parser.error("--json needs a command: the menu is for a person")
    if parsed.command == "send" and parsed.from_file is not None:
        _check_from_file(parser, parsed)
    return parsed


def _takes_late_text(parsed: argparse.Namespace, left_over: list[str]) -> bool:
    """Whether what is left over is the text of `send USER --flag TEXT`, which argparse before 3.13 does not place."""
    words = left_over[1:] if left_over[:1] == ["--"] else left_over
    if parsed.command != "send" or parsed.text is not None or len(words) != 1:
        return False
    if words is left_over and words[0].startswith("-") and words != ["-"]:
        return False
    parsed.text = words[0]
    return True


def _check_from_file(parser: argparse.ArgumentParser, parsed: argparse.Namespace) -> None:
    """Let nothing stand beside --from-file that the lines of the file say themselves."""
    if parsed.recipient is not None:
        parser.error("--from-file: the file names the recipients and the texts; leave USER and TEXT out")
    if parsed.message_id is not None:
        parser.error("--from-file: the file's lines have ids of their own; leave --message-id out")
    if parsed.queue:
        parser.error("--from-file: a run that is cut off goes on when repeated; leave --queue out")


def _parser(kind: type[argparse.ArgumentParser], arguments: Collection[str]) -> argparse.ArgumentParser:
    """Return a parser that is good for these arguments: commands that they don't name have no flags yet."""
    parser = kind(
        prog=program(),
        description="Chat: each message arrives once, in order, also for who was away.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"chatbooth {__version__}")
    _add_shared_flags(parser, with_defaults=True)
    _add_commands(parser, arguments)
    return parser


def _add_shared_flags(parser: argparse.ArgumentParser, *, with_defaults: bool) -> None:
    """Add the flags that may stand before or after the command; only before it do they have defaults."""

    def default(variable: str, otherwise: str | None) -> str | None:
        return os.environ.get(variable) or otherwise if with_defaults else argparse.SUPPRESS

    parser.add_argument(
        "--server",
        metavar="[wire://]HOST:PORT",
        type=_server,
        default=default("CHATBOOTH_SERVER", DEFAULT_SERVER),
        help=f"the server's address (environment: CHATBOOTH_SERVER; default: {DEFAULT_SERVER})",
    )
    parser.add_argument(
        "--as",
        dest="as_user",
        metavar="USER",
        default=default("CHATBOOTH_AS", None),
        help="which of several accounts that are logged in is to act (environment: CHATBOOTH_AS)",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=_seconds,
        default=default("CHATBOOTH_TIMEOUT", DEFAULT_TIMEOUT),
        help="how long a call may take, retries included (environment: CHATBOOTH_TIMEOUT; default: 10)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        default=False if with_defaults else argparse.SUPPRESS,
        help="print JSON, one object a line",
    )


def _add_commands(program_parser: argparse.ArgumentParser, arguments: Collection[str]) -> None:
    commands = program_parser.add_subparsers(
        dest="command", metavar="COMMAND", title="commands", prog=program_parser.prog
    )
    for name, (words, add_flags) in _COMMANDS.items():
        parser = commands.add_parser(
            name,
            help=words,
            description=f"{words[0].upper()}{words[1:]}.",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name in arguments:  # only such a one can be asked; flags for all would take as long as most commands
            _add_shared_flags(parser, with_defaults=False)
            add_flags(parser)


def _add_none(_parser: argparse.ArgumentParser) -> None:
    """A command without flags of its own."""


def _add_log_in(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("username", nargs="?", metavar="USERNAME", help="default: --as, or else it is asked for")
    _add_password_flag(parser, "the password, a line,")


def _add_passwd(parser: argparse.ArgumentParser) -> None:
    _add_password_flag(parser, "the old and the new password, two lines,")


def _add_delete(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask whether it is meant")
    _add_password_flag(parser, "the password, a line,")


def _add_password_flag(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--password-stdin", action="store_true", help=f"read {what} from standard input")


def _add_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "pattern",
        nargs="?",
        default="",
        metavar="PATTERN",
        help="an RE2 regular expression to find anywhere in a name, ignoring case; default: all names",
    )
    parser.add_argument("--prefix", default="", help="what a name must start with; fast on large servers")


def _add_send(parser: argparse.ArgumentParser) -> None:
    parser.usage = "%(prog)s [FLAG ...] USER [TEXT]\n       %(prog)s [FLAG ...] --from-file FILE"
    parser.epilog = _SEND_EPILOG
    recipient = parser.add_argument("recipient", metavar="USER", help="whom to send to")
    parser.add_argument(
        "text",
        nargs="?",
        metavar="TEXT",
        help="the text; - or none: standard input to its end, less one line break there; -- before a text like -this",
    )
    parser.add_argument(
        "--message-id",
        type=_message_id,
        metavar="HEX",
        help="the id, 32 hex digits, of a message to repeat: one that was stored is not stored again",
    )
    parser.add_argument(
        "--queue",
        action="store_true",
        help="accept the message even while the server is away: it is kept on disk, and goes out once, later",
    )

    class FromFile(argparse.Action):
        """Keeps the file's name, and makes USER one that need not be given."""

        def __call__(self, _parser: object, namespace: argparse.Namespace, file: object, _flag: object = None) -> None:
            setattr(namespace, self.dest, file)
            recipient.required = False

    parser.add_argument(
        "--from-file",
        action=FromFile,
        metavar="FILE",
        help="send the messages that a file holds, one a line; -: standard input",
    )


def _add_listen(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--max", dest="most", type=_count, metavar="N", help="stop after N messages")


def _add_outbox(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--send", action="store_true", help="try to send what is queued first")
    parser.add_argument("--drop", type=_message_id, metavar="HEX", help="forget the message with this id first")


def _add_deliver(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--keep", action="store_true", help="only look: acknowledge nothing, so that all comes again")
    parser.add_argument(
        "--after",
        type=_sequence,
        metavar="N",
        help="start after the message numbered N instead of after the last acknowledged, also if shown before",
    )
    parser.add_argument("--max", dest="most", type=_count, metavar="N", help="stop after N messages")


_COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None]]] = {
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


def _server(text: str) -> str:
    try:
        return normal_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds, above 0 and up to 86400")
    return seconds


def _message_id(text: str) -> bytes:
    try:
        return decode_message_id(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _sequence(text: str) -> int:
    return _whole_number(text, 0)


def _count(text: str) -> int:
    return _whole_number(text, 1)


def _whole_number(text: str, least: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) < 1 << 63):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least}")
    return int(text)
