"""Parsing an administrator's command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path, PurePath

from chatbooth_grpc.admin.commands.table import COMMANDS, Command, load
from chatbooth_grpc.client.commands.parsing.command_parser import HELP, CommandParser, flag_value, mark_literals
from chatbooth_grpc.client.commands.parsing.programs import asks_for_json, check_command, command_index, program_parser
from chatbooth_grpc.environment import value_of

SCRIPT = "chatbooth-admin"
"""The command that an installed chatbooth has."""

DEFAULT_STORE = "chatbooth.db"

_EPILOG = """\
If a server serves the store, it does what the command asks. The command reaches
it through the socket beside the store, STORE.admin, which only the server's user
may open. Otherwise the command opens the store itself.

Data goes to standard output, words to standard error. With --json each datum
and each result is one JSON object on a line, and an error is one JSON object
on standard error.

exit codes:
  0  done
  1  failed, or something is not as it should be
  2  the command or its input is wrong
  4  the server did not answer
  5  not found
  6  done, but the result could not be written to standard output or standard
     error. Do not repeat it
  129, 130, 141, 143  ended by SIGHUP, Ctrl-C, a closed pipe, SIGTERM
"""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags, and the command's name in `command`. Exits with 2 if the words are wrong."""
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    as_json = asks_for_json(words)
    index = command_index(words, ["--store"])
    parser = _program_parser(as_json=as_json)
    parsed, left_over = parser.parse_known_args(words[:index])
    parser.refuse_left_over(left_over)
    if index == len(words):
        parser.error("a command is missing")
    parsed.command = words[index]
    check_command(parser, parsed.command, COMMANDS)
    _parse_command(_command_parser(parsed.command, load(parsed.command), as_json=as_json), parsed, words[index + 1 :])
    if parsed.store is None:
        parsed.store = Path(value_of("CHATBOOTH_STORE", os.environ) or DEFAULT_STORE)
    return parsed


def _parse_command(parser: CommandParser, parsed: argparse.Namespace, words: Sequence[str]) -> None:
    if len(words) == 1 and words[0] in HELP:
        parser.show_help()
    _, left_over = parser.parse_known_args(mark_literals(words), parsed)
    parser.refuse_left_over(left_over)


def _program() -> str:
    """Return the words that start this program."""
    return SCRIPT if PurePath(sys.argv[0]).name == SCRIPT else "python -m chatbooth_grpc.admin"


def _program_parser(*, as_json: bool) -> CommandParser:
    parser = program_parser(
        _program(),
        COMMANDS,
        as_json=as_json,
        usage="%(prog)s [FLAG ...] COMMAND ...",
        description="Administer a chatbooth store, whether a server serves it or not.",
        notes=_EPILOG,
    )
    _add_shared_flags(parser, has_defaults=True)
    return parser


def _command_parser(name: str, command: Command, *, as_json: bool) -> CommandParser:
    words = COMMANDS[name]
    parser = CommandParser(f"{_program()} {name}", as_json=as_json, description=f"{words[0].upper()}{words[1:]}.")
    _add_shared_flags(parser, has_defaults=False)
    command.add_flags(parser)
    return parser


def _add_shared_flags(parser: CommandParser, *, has_defaults: bool) -> None:
    """Add the flags that may stand before or after the command. They have a default only before it."""
    parser.add_flag(
        "--store",
        type=flag_value(Path),
        default=None if has_defaults else argparse.SUPPRESS,
        metavar="FILE",
        help=f"the store's file (environment: CHATBOOTH_STORE; default: {DEFAULT_STORE})",
    )
    switch = False if has_defaults else argparse.SUPPRESS
    parser.add_flag("--json", action="store_true", default=switch, help="print JSON, one object a line")
    parser.add_flag("-q", "--quiet", action="store_true", default=switch, help="print data and errors alone, for cron")
