"""The flags that several commands take, with their help."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import NamedTuple

from chatbooth_grpc.client.commands.parsing import argument_values as values
from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser, flag_value, positional
from chatbooth_grpc.client.failures.invocation import is_first_command_line
from chatbooth_grpc.server_address import DEFAULT_SERVER

DEFAULT_TIMEOUT = "10"

# The name of the machine is private, so only a person may give it.
DEFAULT_LABEL = "command line"


class SharedFlag(NamedTuple):
    """A flag with a value that every command takes, and the environment variable that stands in for it."""

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
        "ADDRESS",
        "the server's address: HOST:PORT, wire://HOST:PORT, grpc+tls:// or wire+tls:// before HOST:PORT, unix:PATH or "
        "wire+unix:PATH; the client uses TLS with every other machine (environment: CHATBOOTH_SERVER; default: "
        f"{DEFAULT_SERVER})",
    ),
    SharedFlag(
        "--trust",
        "trust",
        "CHATBOOTH_TRUST",
        None,
        values.fingerprint,
        "FINGERPRINT",
        "accept the server's certificate with this fingerprint, which its operator names; without it, it is asked for "
        "at a terminal (environment: CHATBOOTH_TRUST)",
    ),
    SharedFlag(
        "--client-cert",
        "client_cert",
        "CHATBOOTH_CLIENT_CERT",
        None,
        values.file,
        "FILE",
        "this client's own certificate in PEM, for a server that asks for one (environment: CHATBOOTH_CLIENT_CERT)",
    ),
    SharedFlag(
        "--client-key",
        "client_key",
        "CHATBOOTH_CLIENT_KEY",
        None,
        values.file,
        "FILE",
        "the key of --client-cert (environment: CHATBOOTH_CLIENT_KEY)",
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
        "--token-file",
        "token_file",
        "CHATBOOTH_TOKEN_FILE",
        None,
        values.file,
        "FILE",
        "act with the token in this file, which you alone can read, instead of a session; for send, deliver and listen "
        "(environment: CHATBOOTH_TOKEN_FILE)",
    ),
    SharedFlag(
        "--timeout",
        "timeout",
        "CHATBOOTH_TIMEOUT",
        DEFAULT_TIMEOUT,
        values.seconds,
        "SECONDS",
        f"how long a call may take, retries included (environment: CHATBOOTH_TIMEOUT; default: {DEFAULT_TIMEOUT})",
    ),
)


def add_shared_flags(parser: CommandParser, *, default: str | None) -> None:
    """Add the flags that may stand before or after the command. They have a default only before it."""
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
        "--insecure",
        action="store_true",
        default=False if default is None else default,
        help="allow plain text to another machine (environment: CHATBOOTH_INSECURE=1)",
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


def add_username(parser: CommandParser) -> None:
    """Add the name of the user to sign up or log in."""
    parser.add_argument(
        "username",
        type=positional(values.words),
        nargs="?",
        metavar="USERNAME",
        help="default: --as, or else it is asked for",
    )


def add_label_flag(parser: CommandParser) -> None:
    """Add the flag for the session's label."""
    parser.add_flag(
        "--label",
        type=flag_value(values.words),
        default=DEFAULT_LABEL,
        metavar="TEXT",
        help=f"the session's name in the list of sessions; default: {DEFAULT_LABEL}",
    )


def add_password_flag(parser: CommandParser, what: str) -> None:
    """Add the flag that reads `what` from standard input."""
    parser.add_flag("--password-stdin", action="store_true", help=f"read {what} from standard input")


def add_max_flag(parser: CommandParser) -> None:
    """Add the flag for how many messages to show at most."""
    parser.add_flag("--max", dest="most", type=flag_value(values.count), metavar="N", help="stop after N messages")
