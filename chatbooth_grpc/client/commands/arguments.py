"""Parsing the command line, and the environment variables that stand in for flags."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from chatbooth_grpc.client.commands.parsing.command_parser import HELP, CommandParser, mark_literals
from chatbooth_grpc.client.commands.parsing.programs import asks_for_json, check_command, command_index, program_parser
from chatbooth_grpc.client.commands.parsing.shared_flags import SHARED_FLAGS, add_shared_flags
from chatbooth_grpc.client.commands.table import COMMANDS, WITH_TOKENS, Command, load
from chatbooth_grpc.client.failures.invocation import program
from chatbooth_grpc.environment import is_on, value_of
from chatbooth_grpc.server_address import protected_address

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
  7  the server is not trusted: its certificate is unknown or has changed.
     Nothing was sent
  129  ended because its terminal was closed (SIGHUP)
  130  ended by Ctrl-C
  141  ended because the program that reads its output had ended
  143  ended by SIGTERM
"""


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags, and the command's name in `command`. None stands for the menu.

    Exits with 2 if the words are wrong.
    """
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    as_json = asks_for_json(words)
    index = command_index(words, {flag.name for flag in SHARED_FLAGS})
    parser = _program_parser(as_json=as_json)
    parsed, left_over = parser.parse_known_args(words[:index])
    parser.refuse_left_over(left_over)
    parsed.command = None
    if index < len(words):
        parsed.command = words[index]
        check_command(parser, parsed.command, COMMANDS)
        command = load(parsed.command)
        parser = _command_parser(parsed.command, command, as_json=as_json)
        _parse_command(parser, command, parsed, words[index + 1 :])
    elif parsed.json or parsed.quiet:
        parser.error(f"--{'json' if parsed.json else 'quiet'} needs a command: the menu is for a person")
    _fill_in_defaults(parser, parsed)
    _check_token_file(parser, parsed)
    _protect(parser, parsed)
    return parsed


def _parse_command(parser: CommandParser, command: Command, parsed: argparse.Namespace, words: Sequence[str]) -> None:
    """Parse the words after the command into `parsed`."""
    if len(words) == 1 and words[0] in HELP:
        parser.show_help()
    _, left_over = parser.parse_known_args(mark_literals(words), parsed)
    command.finish(parser, parsed, words, left_over)


def _fill_in_defaults(parser: CommandParser, parsed: argparse.Namespace) -> None:
    """Take each shared flag that the command line lacks from the environment, or else from its default."""
    for flag in SHARED_FLAGS:
        if getattr(parsed, flag.dest) is not None:
            continue
        text = value_of(flag.variable, os.environ) or flag.default
        try:
            setattr(parsed, flag.dest, None if text is None else flag.convert(text))
        except argparse.ArgumentTypeError as error:
            parser.error(f"{flag.variable}: {error}")


def _check_token_file(parser: CommandParser, parsed: argparse.Namespace) -> None:
    """Refuse a token where only a person can act."""
    if parsed.token_file is None:
        return
    if parsed.command not in WITH_TOKENS:
        parser.error(
            f"--token-file (or CHATBOOTH_TOKEN_FILE): a token is for {', '.join(WITH_TOKENS)}; leave it out here"
        )
    if getattr(parsed, "queue", False):
        parser.error("--queue needs a session; leave --token-file out, or --queue")


def _protect(parser: CommandParser, parsed: argparse.Namespace) -> None:
    """Turn TLS on for a server on another machine, unless plain text is allowed."""
    parsed.insecure = parsed.insecure or is_on("CHATBOOTH_INSECURE", os.environ)
    if bool(parsed.client_cert) != bool(parsed.client_key):
        parser.error("--client-cert and --client-key belong together")
    try:
        parsed.server = protected_address(parsed.server, is_insecure=parsed.insecure)
    except ValueError as error:
        parser.error(str(error))


def _program_parser(*, as_json: bool) -> CommandParser:
    """Return the parser of the words before the command."""
    parser = program_parser(
        program(),
        COMMANDS,
        as_json=as_json,
        usage="%(prog)s [FLAG ...] [COMMAND ...]",
        description="Chat: each message arrives once, in order, also for people who were away.",
        notes=_EPILOG,
    )
    add_shared_flags(parser, default=None)
    return parser


def _command_parser(name: str, command: Command, *, as_json: bool) -> CommandParser:
    """Return the parser of the words after a command."""
    words = COMMANDS[name]
    parser = CommandParser(
        f"{program()} {name}",
        as_json=as_json,
        hint=command.hint,
        description=f"{words[0].upper()}{words[1:]}.",
    )
    add_shared_flags(parser, default=argparse.SUPPRESS)
    command.add_flags(parser)
    return parser
