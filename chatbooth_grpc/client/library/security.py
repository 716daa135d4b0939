"""The security of a program's connections: whom it trusts, and whether plain text is allowed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Security:
    """How a client secures its connections. By default TLS is used with every server on another machine.

    Then the system's authorities must vouch for the server's certificate.
    """

    trust: str = ""
    """The fingerprint of the certificate that the server must have, SHA256: and 64 hex digits.

    The system's authorities need not vouch for that certificate, and the host's name need not be in it.
    """

    known: str | os.PathLike[str] | None = None
    """A folder that keeps, for each server, the certificate by which it is known.

    A server whose certificate changes is refused then, and so is plain text to a server that has used TLS. The command
    line uses `servers` in its state folder.
    """

    certificate: str | os.PathLike[str] | None = None
    """The file of the client's own certificate in PEM, for servers that ask for one."""

    key: str | os.PathLike[str] | None = None
    """The file of the certificate's key."""

    insecure: bool = False
    """Whether plain text may be sent to another machine."""

    def __post_init__(self) -> None:
        """Raise ValueError if something is wrong."""
        if bool(self.certificate) != bool(self.key):
            raise ValueError("a client's certificate and its key belong together: give both")
        if self.trust:
            from chatbooth_grpc.tls.fingerprints import normal_fingerprint

            object.__setattr__(self, "trust", normal_fingerprint(self.trust))

    @property
    def known_folder(self) -> Path | None:
        """The folder of known servers."""
        return None if self.known is None else Path(self.known)


DEFAULT_SECURITY = Security()
"""TLS with every other machine, and the system's authorities vouch for each server."""
