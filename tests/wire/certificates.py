"""A certificate for "localhost", with the contexts of a server and a client."""

from __future__ import annotations

import ssl
from pathlib import Path

from chatbooth_grpc.tls.server_certificate import read_certificate
from tests.tls.issuing import Authority


class Certificate:
    """A certificate, its key, and the authority that has issued it."""

    def __init__(self, folder: Path) -> None:
        self._authority = Authority(folder)
        self._files = self._authority.issue("localhost")

    def server(self) -> ssl.SSLContext:
        """Return a context with the certificate."""
        return read_certificate(self._files).context

    def client(self) -> ssl.SSLContext:
        """Return a context that trusts the authority alone."""
        context = ssl.create_default_context(cafile=str(self._authority.file))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context
