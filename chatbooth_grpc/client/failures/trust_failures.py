"""The words for a server that the client does not trust, with the command that changes it."""

from __future__ import annotations

from chatbooth_grpc.booth.trust_errors import CertificateChanged, CertificateUnknown, NotTrusted, PlainTextRefused
from chatbooth_grpc.client.failures.command_failure import CommandFailure
from chatbooth_grpc.client.failures.exit_codes import NOT_TRUSTED
from chatbooth_grpc.client.failures.invocation import command_line


class ServerNotTrusted(CommandFailure):
    """The library's error, with the command to type if the operator confirms the change."""

    exit_code = NOT_TRUSTED

    def __init__(self, error: NotTrusted, server: str) -> None:
        """`server` is the address that the command used."""
        super().__init__(f"{error}{_advice(error, server)}")
        self.reason = error.reason
        self._details = error.attributes()

    def details(self) -> dict[str, str]:
        """Return the server and the fingerprints."""
        return self._details


def _advice(error: NotTrusted, server: str) -> str:
    if isinstance(error, (CertificateUnknown, CertificateChanged)):
        return f" To accept it, type: {command_line(server, 'trust', '--trust', error.fingerprint)}"
    if isinstance(error, PlainTextRefused):
        return f" Type: {command_line(server, 'trust', '--forget')}"
    return ""
