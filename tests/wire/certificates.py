"""A certificate for the name "localhost", made anew for the tests by the openssl command."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest


class Certificate:
    """A certificate and its key, and the two contexts that a server and a client make of them."""

    def __init__(self, folder: Path) -> None:
        openssl = shutil.which("openssl")
        if openssl is None:
            pytest.skip("there is no openssl command to make a certificate with")
        self._key, self._file = folder / "key.pem", folder / "certificate.pem"
        words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
        extension = ("-addext", "subjectAltName=DNS:localhost")
        files = ("-keyout", str(self._key), "-out", str(self._file))
        subprocess.run([openssl, *words.split(), *extension, *files], check=True, capture_output=True)

    def server(self) -> ssl.SSLContext:
        """Return a context with the certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(self._file, self._key)
        return context

    def client(self) -> ssl.SSLContext:
        """Return a context that trusts the certificate alone."""
        context = ssl.create_default_context(cafile=str(self._file))
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        return context
