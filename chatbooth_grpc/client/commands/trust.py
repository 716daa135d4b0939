"""`trust`: shows or accepts the certificate of a server, or forgets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatbooth_grpc.client.commands.table import Command

if TYPE_CHECKING:
    from argparse import Namespace

    from chatbooth_grpc.client.commands.parsing.command_parser import CommandParser
    from chatbooth_grpc.client.commands.tasks.context import Context


def add_flags(parser: CommandParser) -> None:
    """Add the flag that forgets a server."""
    parser.add_flag("--forget", action="store_true", help="forget the certificate that was accepted for the server")


def run(context: Context, parsed: Namespace) -> None:
    """Show, accept or forget a certificate."""
    if parsed.forget:
        forget(context)
    else:
        trust(context)


def forget(context: Context) -> None:
    """Forget the server's certificate, so that the next command asks for it again, or plain text is allowed."""
    from chatbooth_grpc.client.state.known_servers import KnownServers

    folder = context.security.known_folder
    was_known = folder is not None and KnownServers(folder).forget(context.server)
    words = f"Forgot the certificate of {context.server}." if was_known else f"{context.server} was not known by TLS."
    context.output.result({"server": context.server, "was_known": was_known}, words)


def trust(context: Context) -> None:
    """Say which certificate the server has. If it is not the known one, ask whether to accept it.

    Raises NotTrusted if nobody accepts it, Misuse if the address is one without TLS, KnownServerDamaged,
    ServerUnreachable and OSError.
    """
    from chatbooth_grpc.client.commands.tasks.first_contact import reporting_damage
    from chatbooth_grpc.client.failures.command_failure import Misuse
    from chatbooth_grpc.server_address import parts_of

    if not parts_of(context.server).is_tls:
        raise Misuse(f"{context.server} is an address without TLS: write grpc+tls:// or wire+tls:// before it.")
    with reporting_damage():
        fingerprint = _trusted_fingerprint(context)
    record = {"server": context.server, "fingerprint": fingerprint}
    context.output.result(record, f"{context.server} is trusted by its certificate {fingerprint}.")


def _trusted_fingerprint(context: Context) -> str:
    """Return the fingerprint of the server's certificate, after it is trusted. Raises ValueError and others."""
    from chatbooth_grpc.client.commands.tasks.first_contact import agrees
    from chatbooth_grpc.client.library.trusting import Trust

    trusting = Trust(context.server, context.security)
    shown = trusting.shown()
    trusting.trusted()
    problem = trusting.judge(shown, trusting.known())
    if problem is not None:
        if not agrees(context.prompts, problem, shown.fingerprint):
            raise problem
        trusting.accept(shown)
    elif trusting.known() is None:
        trusting.accept_authorities()
    return shown.fingerprint


COMMAND = Command(run, add_flags)
