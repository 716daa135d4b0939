"""Certificates for the tests, from an authority that is made anew, and the files that hold them."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from chatbooth_grpc.tls.certificate_files import CertificateFiles

trustme = pytest.importorskip("trustme")

PAST = datetime.datetime(2021, 1, 1, tzinfo=datetime.timezone.utc)


class Authority:
    """An authority, and the folder with the files of the certificates that it issues."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA()
        self._folder = folder
        # The authority's own certificate. A client that trusts it trusts each certificate that the authority issues.
        self.file = folder / "authority.pem"
        self.file.write_bytes(self._authority.cert_pem.bytes())

    def issue(
        self,
        *names: str,
        label: str = "server",
        client_ca: Path | None = None,
        not_after: datetime.datetime | None = None,
    ) -> CertificateFiles:
        """Issue a certificate for names and addresses, and write its files. The same label replaces them."""
        issued = self._authority.issue_cert(
            *(names or ("localhost", "127.0.0.1", "::1")),
            not_before=PAST - datetime.timedelta(days=9) if not_after else None,
            not_after=not_after,
        )
        files = CertificateFiles(self._folder / f"{label}.crt", self._folder / f"{label}.key", client_ca)
        replace(files.certificate, b"".join(each.bytes() for each in issued.cert_chain_pems))
        replace(files.key, issued.private_key_pem.bytes())
        return files


def replace(path: Path, content: bytes) -> None:
    """Write a file, and put it in the place of another one at once."""
    new = path.with_suffix(".new")
    new.write_bytes(content)
    new.replace(path)
