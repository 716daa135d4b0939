"""The servers that this user has spoken to over TLS, and the certificate by which each is known."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from chatbooth_grpc.client.state.durable_file import replace_file, sync_directory
from chatbooth_grpc.server_address import parts_of, server_identity

FORMAT = 1


@dataclass(frozen=True)
class KnownServer:
    """How a server is known. If `certificate` is empty, the system's authorities vouch for it."""

    certificate: str = ""
    """The one certificate that is accepted, in PEM."""
    fingerprint: str = ""
    name: str = ""
    """A name that the certificate is for."""


class KnownServers:
    """A folder with a file for each server, which only its owner may read.

    A file is replaced whole, and several processes may replace it. The last one counts.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, server: str) -> KnownServer | None:
        """Return how a server is known. None means that nobody has spoken to it over TLS.

        Raises OSError. Raises ValueError if the file is damaged: it must not count as an unknown server.
        """
        path = self._path(server)
        try:
            record = json.loads(path.read_bytes())
            fields = {name: str(record[name]) for name in KnownServer.__dataclass_fields__}
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(_damaged(path)) from error
        if record.get("format") != FORMAT:
            raise ValueError(f"{path} was written by a newer chatbooth. Update this one.")
        known = KnownServer(**fields)
        if not _is_whole(known):
            raise ValueError(_damaged(path))
        return known

    def keep(self, server: str, known: KnownServer) -> None:
        """Keep how a server is known. Raises OSError."""
        self._folder.parent.mkdir(parents=True, exist_ok=True)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        record = {"format": FORMAT, "server": _place(server), **asdict(known)}
        replace_file(self._path(server), json.dumps(record, indent=1).encode() + b"\n")

    def forget(self, server: str) -> bool:
        """Forget a server. Return whether it was known. Raises OSError."""
        try:
            self._path(server).unlink()
        except FileNotFoundError:
            return False
        sync_directory(self._folder)
        return True

    def _path(self, server: str) -> Path:
        return self._folder / f"{_place(server)}.json"


def _is_whole(known: KnownServer) -> bool:
    """Whether the certificate is the one of the fingerprint. A TLS library would report another one in other ways."""
    if not known.certificate:
        return not known.fingerprint
    # It imports the TLS library, which a server on this machine does not need.
    from chatbooth_grpc.tls.fingerprints import fingerprint_of_pem

    return fingerprint_of_pem(known.certificate) == known.fingerprint


def _damaged(path: Path) -> str:
    return f"{path} is damaged. Remove it, and accept the server's certificate again."


def _place(server: str) -> str:
    """Return the `HOST:PORT` of a normal address. Both protocols of one port, if they took turns, are one server."""
    return parts_of(server_identity(server)).place
