"""python -m chatbooth_grpc.server: read the flags, open the store, serve, drain."""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import PurePath

from chatbooth_grpc import __version__
from chatbooth_grpc.generated import require_stubs

_log = logging.getLogger("chatbooth_grpc.server")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server; return its exit code: 0 drained, 1 could not start, 2 wrong usage."""
    from chatbooth_grpc.server.flags import parse_settings

    settings = parse_settings(sys.argv[1:] if arguments is None else arguments)
    require_stubs()
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC's own lines; ours say what matters

    from chatbooth_grpc.booth.booth import Booth
    from chatbooth_grpc.live.reaper import Reaper
    from chatbooth_grpc.live.switchboard import Switchboard
    from chatbooth_grpc.server.chat_server import ChatServer, ListenError
    from chatbooth_grpc.server.logs import configure_logs
    from chatbooth_grpc.store.opening import StoreOpenError
    from chatbooth_grpc.store.sqlite import SQLiteStore

    raise_file_limit()
    configure_logs(settings.log_level, settings.log_format)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        with SQLiteStore(settings.store, store_wait=settings.limits.store_wait) as store:
            switchboard = Switchboard(store, max_listeners=settings.max_listeners)
            server = ChatServer(Booth(store, limits=settings.limits), switchboard, settings)
            reaper = Reaper(store, switchboard, settings.limits.session_expiry)
            address = server.start()
            reaper.start()
            _greet(address, str(settings.store))
            stop.wait()
            _log.info("draining", extra={"grace_seconds": settings.drain_grace})
            reaper.stop()
            server.drain()
            _log.info("stopped")
    except (StoreOpenError, ListenError) as error:
        print(f"chatbooth: {error}", file=sys.stderr)
        return 1
    return 0


def raise_file_limit() -> None:
    """Let this process hold as many connections as the system allows it to, not the shell's cautious default."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # macOS may refuse its own hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _greet(address: str, store: str) -> None:
    """Say on stderr where the server listens and what to type next."""
    client = os.environ.get("CHATBOOTH_CLIENT_COMMAND")
    if client is None:
        client = "chatbooth" if PurePath(sys.argv[0]).name == "chatbooth-server" else "python -m chatbooth_grpc.client"
    host, _, port = address.rpartition(":")
    reachable = f"127.0.0.1:{port}" if host in ("0.0.0.0", "[::]") else address  # noqa: S104  # said, not bound
    print(
        f"chatbooth {__version__} listening on {address}, store {store}\n"
        f"  sign up:  {client} --server {reachable} signup NAME\n"
        f"  stop:     Ctrl-C",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
