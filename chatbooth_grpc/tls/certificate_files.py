"""The files of a server's certificate, without the TLS library, which is slow to import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


class CertificateUnusable(Exception):
    """A certificate, its key or the clients' authorities cannot be used. The text names the file and says why."""


@dataclass(frozen=True)
class CertificateFiles:
    """The files of a server's certificate, all in PEM.

    `certificate` has the server's own certificate first, and then those that lead to its authority. With `client_ca`,
    clients must have a certificate of one of the authorities in it.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def signature(self) -> tuple[tuple[int, int, int, int], ...]:
        """Return numbers that differ after each change of the files. Raises OSError."""
        paths = (self.certificate, self.key, *([self.client_ca] if self.client_ca else []))
        found = [path.stat() for path in paths]
        return tuple((each.st_dev, each.st_ino, each.st_size, each.st_mtime_ns) for each in found)
