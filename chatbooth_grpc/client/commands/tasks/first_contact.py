"""The first contact with a server: a person accepts its certificate, as with ssh, before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chatbooth_grpc.booth.trust_errors import CertificateUnknown, NotTrusted, PlainTextRefused
from chatbooth_grpc.client.failures.command_failure import CommandFailure
from chatbooth_grpc.client.library.security import Security
from chatbooth_grpc.client.state.known_servers import KnownServers
from chatbooth_grpc.server_address import parts_of

if TYPE_CHECKING:
    from chatbooth_grpc.client.library.trusting import Trust
    from chatbooth_grpc.client.terminal.prompts import Prompts
    from chatbooth_grpc.tls.examining import Shown


class KnownServerDamaged(CommandFailure):
    """The file by which a server is known cannot be used, so nothing is sent to the server."""

    reason = "KNOWN_SERVER_DAMAGED"


def meet(server: str, security: Security, prompts: Prompts) -> None:
    """Make sure that a server may be spoken to. Ask at a terminal if its certificate is not known yet.

    If the server cannot be reached, this does nothing, since the command's own call says so. Raises NotTrusted, and
    KnownServerDamaged.
    """
    with reporting_damage():
        if parts_of(server).is_tls:
            _meet_over_tls(server, security, prompts)
        elif security.known_folder and KnownServers(security.known_folder).load(server):
            raise PlainTextRefused(parts_of(server).place)


@contextmanager
def reporting_damage() -> Iterator[None]:
    """Raise KnownServerDamaged if the file of a known server is damaged, or was written by a newer version."""
    try:
        yield
    except ValueError as error:
        raise KnownServerDamaged(str(error)) from error


def _meet_over_tls(server: str, security: Security, prompts: Prompts) -> None:
    # It imports the TLS library, which a server on this machine does not need.
    from chatbooth_grpc.client.library.trusting import Trust

    trust = Trust(server, security)
    if security.trust:
        _accept_given(trust)
    elif trust.known() is None:
        shown = _look(trust)
        if shown is not None:
            _accept(trust, shown, prompts)


def _accept_given(trust: Trust) -> None:
    """Accept the certificate whose fingerprint was given, if the server has it. Raises NotTrusted."""
    try:
        trust.trusted()
    except OSError:
        # The call that follows does not reach the server either, or finds what is wrong.
        return


def _look(trust: Trust) -> Shown | None:
    try:
        return trust.look()
    except OSError:
        return None


def _accept(trust: Trust, shown: Shown, prompts: Prompts) -> None:
    problem = trust.judge(shown, None)
    if problem is None:
        trust.accept_authorities()
    elif isinstance(problem, CertificateUnknown) and agrees(prompts, problem, shown.fingerprint):
        trust.accept(shown)
    else:
        raise problem


def agrees(prompts: Prompts, problem: NotTrusted, fingerprint: str) -> bool:
    """Whether a person at a terminal accepts a certificate. False if there is no terminal."""
    answer = prompts.at_terminal(f"{problem}\nTrust this certificate from now on? Type yes, or the fingerprint: ")
    return answer is not None and answer.strip() in ("yes", fingerprint)
