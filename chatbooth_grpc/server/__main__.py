"""python -m chatbooth_grpc.server: read the flags, open the store, serve, drain."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

from chatbooth_grpc import __version__
from chatbooth_grpc.generated import require_stubs
from chatbooth_grpc.server.signals import Signals
from chatbooth_grpc.streams import open_closed_streams, settle_streams

if TYPE_CHECKING:
    from chatbooth_grpc.server.descriptors import Shares
    from chatbooth_grpc.server.flags import Settings
    from chatbooth_grpc.wire.server import WireSettings

_log = logging.getLogger("chatbooth_grpc.server")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server; return its exit code: 0 drained, 1 could not start, 2 wrong usage."""
    open_closed_streams()
    from chatbooth_grpc.server.flags import parse_settings

    try:
        settings = parse_settings(sys.argv[1:] if arguments is None else arguments)
    except SystemExit as ended:
        # Help that standard output did not take is a failure too.
        unprinted = settle_streams()
        return int(ended.code or unprinted is not None)
    signals = Signals()
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # before gRPC is loaded: our own lines say what matters
    require_stubs()

    from chatbooth_grpc.server.chat_server import ListenError
    from chatbooth_grpc.server.logs import configure_logs
    from chatbooth_grpc.server.memory import tune_memory
    from chatbooth_grpc.store.opening import StoreOpenError
    from chatbooth_grpc.wire.server import WireListenError

    tune_memory()
    configure_logs(settings.log_level, settings.log_format)
    try:
        _serve(settings, signals)
    except (StoreOpenError, ListenError, WireListenError) as error:
        print(f"chatbooth: {error}", file=sys.stderr)
        return 1
    return 0


def _serve(settings: Settings, signals: Signals) -> None:
    """Serve until a signal says to stop, then drain. Raises StoreOpenError, ListenError, WireListenError."""
    from chatbooth_grpc.booth.booth import Booth
    from chatbooth_grpc.live.reaper import Reaper
    from chatbooth_grpc.live.switchboard import Switchboard
    from chatbooth_grpc.server.chat_server import ChatServer
    from chatbooth_grpc.server.descriptors import GrpcConnections
    from chatbooth_grpc.store.sqlite import SQLiteStore
    from chatbooth_grpc.wire.server import WireServer

    with SQLiteStore(settings.store, store_wait=settings.limits.store_wait) as store:
        switchboard = Switchboard(store, max_listeners=settings.max_listeners)
        booth = Booth(store, limits=settings.limits)
        reaper = Reaper(store, switchboard, settings.limits.session_expiry, retain=settings.limits.retain)
        shares = _shares(settings)
        wire = WireServer(booth, switchboard, _wire_settings(settings, shares.wire)) if shares.wire else None
        connections = GrpcConnections(shares.grpc, others=lambda: wire.count if wire else 0)
        server = ChatServer(booth, switchboard, settings, connections) if settings.grpc else None
        if server:
            store.watch_availability(server.say_available)
        wire_address = wire.start() if wire else None
        address = server.start() if server else None
        reaper.start()
        _greet(address, wire_address, str(settings.store))
        received = signals.wait_for_end()
        _log.info("draining", extra={"signal": received, "grace_seconds": settings.drain_grace})

        def cut_short() -> None:
            for each in (server, wire):
                if each:
                    each.cut_short()

        signals.watch_drain(cut_short)
        deadline = time.monotonic() + settings.drain_grace
        reaper.stop()
        if server:
            server.drain()
        else:
            switchboard.drain(settings.drain_grace / 2)
        if wire:
            wire.drain(max(1.0, deadline - time.monotonic()))
        _log.info("stopped")


def _shares(settings: Settings) -> Shares:
    """Share out the descriptors that the system allows among the wires that are served."""
    from chatbooth_grpc.server.descriptors import raise_file_limit, shares_of

    max_wire = 0 if settings.wire_port is None else settings.max_connections
    return shares_of(raise_file_limit(), grpc=settings.grpc, max_wire=max_wire)


def _wire_settings(settings: Settings, max_connections: int) -> WireSettings:
    from chatbooth_grpc.wire.server import WireSettings

    return WireSettings(
        host=settings.host,
        port=settings.wire_port or 0,
        text_size=settings.limits.text_size,
        max_connections=max_connections,
        idle_timeout=settings.idle_timeout,
        keepalive_time=settings.keepalive_time,
        keepalive_timeout=settings.keepalive_timeout,
    )


def _greet(address: str | None, wire_address: str | None, store: str) -> None:
    """Say on stderr where the server listens and what to type next."""
    lines = []
    if address:
        lines.append(f"chatbooth {__version__} listening on {address}, store {store}")
        lines.append(f"  sign up:  {_client_command()} --server {_reachable(address)} signup NAME")
    if wire_address:
        host, _, port = _reachable(wire_address).rpartition(":")
        lines.append(f"chatbooth {__version__} wire protocol listening on {wire_address}, store {store}")
        lines.append(f"  sign up:  {_client_command()} --server wire://{host}:{port} signup NAME")
    # A server that nobody can read still serves.
    with contextlib.suppress(OSError):
        print(*lines, "  stop:     Ctrl-C", sep="\n", file=sys.stderr, flush=True)


def _client_command() -> str:
    if script := os.environ.get("CHATBOOTH_CLIENT_COMMAND"):
        return script
    return "chatbooth" if PurePath(sys.argv[0]).name == "chatbooth-server" else "python -m chatbooth_grpc.client"


def _reachable(address: str) -> str:
    """Return the address for a client on this machine, where the server listens on all."""
    host, _, port = address.rpartition(":")
    return f"127.0.0.1:{port}" if host in ("0.0.0.0", "[::]") else address  # noqa: S104  # said, not bound


if __name__ == "__main__":
    sys.exit(main())
