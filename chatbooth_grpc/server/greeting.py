"""The words with which a server says where it listens, and which command to type next."""

from __future__ import annotations

import os
import sys
from pathlib import PurePath
from typing import Any

from chatbooth_grpc import __version__
from chatbooth_grpc.server.flags import MODULE, Program
from chatbooth_grpc.server.logs import announce
from chatbooth_grpc.unix_sockets import PREFIX as UNIX

_SCRIPT = "chatbooth-server"
"""The command that an installed chatbooth has."""


def greet(address: str | None, wire_address: str | None, store: str, fingerprint: str | None) -> None:
    """Say where the server listens, and which command to type next. Without a fingerprint, there is no TLS."""
    served = [
        (protocol, listening)
        for protocol, listening in (("grpc", address), ("wire", wire_address))
        if listening is not None
    ]
    for protocol, listening in served:
        name, scheme = ("wire protocol ", "wire://") if protocol == "wire" else ("", "")
        if fingerprint:
            scheme = f"{protocol}+tls://"
        if listening.startswith(UNIX):
            scheme = "wire+" if protocol == "wire" else ""
        text = (
            f"chatbooth {__version__} {name}listening on {listening}, store {store}\n"
            f"  sign up:  {_client_command()} --server {scheme}{_reachable(listening)} signup NAME"
        )
        if (protocol, listening) == served[-1]:
            text += f"\n  TLS certificate: {fingerprint}" if fingerprint else ""
            text += "\n  stop:     Ctrl-C"
        shown: dict[str, Any] = {"fingerprint": fingerprint} if fingerprint else {}
        announce(
            "listening", text=text, protocol=protocol, address=listening, store=store, version=__version__, **shown
        )


def serving_status(address: str | None, wire_address: str | None) -> str:
    """Return the words by which a supervisor shows where the server listens."""
    listening = {"gRPC": address, "the wire protocol": wire_address}
    return "Serving " + " and ".join(f"{name} on {where}" for name, where in listening.items() if where is not None)


def serving_program() -> Program:
    """Return how this program was started. A script that starts it passes its own name in the environment."""
    if script := os.environ.get("CHATBOOTH_SERVER_COMMAND"):
        return Program(script)
    return Program(_SCRIPT) if _is_installed() else MODULE


def _is_installed() -> bool:
    return PurePath(sys.argv[0]).name == _SCRIPT


def _client_command() -> str:
    if script := os.environ.get("CHATBOOTH_CLIENT_COMMAND"):
        return script
    return "chatbooth" if _is_installed() else "python -m chatbooth_grpc.client"


def _reachable(address: str) -> str:
    """Return the address for a client on this machine, also if the server listens on all addresses."""
    host, _, port = address.rpartition(":")
    return f"127.0.0.1:{port}" if host in ("0.0.0.0", "[::]") else address  # noqa: S104  # said, not bound
