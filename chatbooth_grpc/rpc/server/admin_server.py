"""The small gRPC server of administration, on a socket that only its user may open."""

from __future__ import annotations

import logging
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import grpc

from chatbooth_grpc._gen import admin_pb2_grpc as pb_grpc
from chatbooth_grpc.booth.administration import Administration
from chatbooth_grpc.rpc.admin_socket import reachable, socket_of
from chatbooth_grpc.rpc.server.admin_servicer import AdminServicer

_THREADS = 4
_PLENTY = -1

_log = logging.getLogger(__name__)


class AdminServer:
    """Serves administration beside a store, whose lock this process holds. A failure here ends no server."""

    def __init__(self, administration: Administration, store: Path) -> None:
        """`store` is the real path of the store's file."""
        self._administration = administration
        self._path = socket_of(store)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="admin")
        self._server = grpc.server(
            self._pool,
            options=[("grpc.max_receive_message_length", _PLENTY), ("grpc.so_reuseport", 0)],
            maximum_concurrent_rpcs=_THREADS,
        )
        pb_grpc.add_AdminServiceServicer_to_server(AdminServicer(administration), self._server)
        self._serves = False
        # The socket, to tell it from that of a server which serves another store under the same name by now.
        self._inode = 0

    def start(self) -> None:
        """Serve, if the socket can be made. Otherwise log why not."""
        try:
            self._listen()
        except (OSError, RuntimeError) as error:
            cause = error.strerror if isinstance(error, OSError) else str(error)
            _log.warning("the server cannot be administered while it runs", extra={"cause": cause})
            return
        self._server.start()
        self._serves = True

    def stop(self) -> None:
        """End the calls in progress, and every thread."""
        if self._serves:
            with suppress(OSError):
                if self._path.stat().st_ino == self._inode:
                    self._path.unlink()
            self._server.stop(0).wait()
            self._administration.interrupt()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _listen(self) -> None:
        """Make the socket in a private folder, so that nobody else can ever open it, and give it its name.

        The rename also takes the place of a socket that a killed server has left.
        """
        folder = Path(tempfile.mkdtemp(prefix=f"{self._path.name}-", dir=self._path.parent))
        made = folder / "socket"
        try:
            with reachable(made) as short:
                self._server.add_insecure_port(f"unix:{short}")
            made.chmod(0o600)
            self._inode = made.stat().st_ino
            made.replace(self._path)
        finally:
            with suppress(OSError):
                made.unlink(missing_ok=True)
            folder.rmdir()
