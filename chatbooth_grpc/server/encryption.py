"""The encryption of the server's connections, by its flags."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass

from chatbooth_grpc.addresses import Host
from chatbooth_grpc.server.twins import FlagError
from chatbooth_grpc.tls.certificate_files import CertificateFiles

AUTO = "auto"

_SUFFIXES = (".tls.crt", ".tls.key")
"""The ends of the names of the files that the server makes itself. They follow the store's name."""


@dataclass(frozen=True)
class Encryption:
    """The files of the certificate, and whether the server makes them if they are absent."""

    files: CertificateFiles
    makes_certificate: bool


def encryption_of(parsed: argparse.Namespace, written: Mapping[str, str]) -> Encryption | None:
    """Return the encryption that the flags ask for. None means plain text. Raises FlagError."""
    if parsed.tls == AUTO:
        if parsed.tls_cert or parsed.tls_key:
            given = written["tls_cert" if parsed.tls_cert else "tls_key"]
            raise FlagError(
                f"{given.strip(' =')} names a file, and {written['tls']}auto makes one; give one of the two"
            )
        certificate, key = (parsed.store.with_name(parsed.store.name + suffix) for suffix in _SUFFIXES)
        return Encryption(CertificateFiles(certificate, key, parsed.tls_client_ca), makes_certificate=True)
    if parsed.tls and parsed.tls_cert:
        raise FlagError(
            f"{written['tls']}off leaves {written['tls_cert']}{parsed.tls_cert} without use; give one of them"
        )
    if bool(parsed.tls_cert) != bool(parsed.tls_key):
        raise FlagError("--tls-cert and --tls-key belong together; give both (CHATBOOTH_TLS_CERT, CHATBOOTH_TLS_KEY)")
    if not parsed.tls_cert:
        if parsed.tls_client_ca:
            raise FlagError("--tls-client-ca needs TLS; give --tls-cert and --tls-key too, or --tls auto")
        return None
    return Encryption(CertificateFiles(parsed.tls_cert, parsed.tls_key, parsed.tls_client_ca), makes_certificate=False)


def refuse_plain_text(host: Host, written: str) -> None:
    """Raise FlagError if others can reach the host. `written` is the flag that names it, as the user gave it."""
    if not host.is_loopback:
        raise FlagError(
            f"{written}{host.name} would send passwords and messages in plain text over the network; give --tls-cert "
            "and --tls-key, or --tls auto, or keep 127.0.0.1 for a TLS proxy on this machine, or say --insecure "
            "(CHATBOOTH_INSECURE=1) if you mean it"
        )
