"""The wire protocol's server: a thread per connection, a cap that refuses politely, and a watchdog.

One more thread reads for the connections that send steadily (`shared_reader`).

The watchdog looks at every connection a few times a second. It ends one that is idle past the idle timeout (a live
stream is use), whose frame stays incomplete, that keeps a write blocked, or that does not answer a ping: TCP's own
keepalive finds a peer that is cut off, but not a process that is stopped, whose kernel still answers.
"""

from __future__ import annotations

import contextlib
import logging
import math
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from chatbooth_grpc.addresses import Host, address_text, bind
from chatbooth_grpc.booth import actions
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import TooBusy
from chatbooth_grpc.booth.lasting_state import LastingState
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.live.unread import STUCK_LIMIT, Unread
from chatbooth_grpc.wire.encoding.codes import encode_error
from chatbooth_grpc.wire.encoding.frames import encode_frame
from chatbooth_grpc.wire.server.connection import Connection
from chatbooth_grpc.wire.server.dispatch import Dispatcher
from chatbooth_grpc.wire.server.frame_writer import FrameWriter
from chatbooth_grpc.wire.server.listening import ListeningSockets
from chatbooth_grpc.wire.server.shared_reader import CAN_SHARE, SharedReader
from chatbooth_grpc.wire.server.slow_writer import SlowWriter
from chatbooth_grpc.wire.server.spare_descriptor import SpareDescriptor
from chatbooth_grpc.wire.streams.byte_stream import ByteStream
from chatbooth_grpc.wire.streams.plain_stream import PlainStream

FRAME_LIMIT = 10.0
"""How long a frame may take from its first byte to its last, in seconds."""

_BODY_OVERHEAD = 64 << 10  # room beyond the largest text, so that one a little too long gets the clear error
_WATCH_INTERVAL = 0.2

# Seldom: those that are cut off connect again, and are sent their messages again.
_UNREAD_INTERVAL = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WireSettings:
    """How the wire server runs. Times in seconds, sizes in bytes."""

    host: Host
    port: int
    text_size: int
    max_connections: int = 4_000
    idle_timeout: float = 600.0
    keepalive_time: float = 60.0
    keepalive_timeout: float = 20.0
    frame_limit: float = FRAME_LIMIT
    stuck_limit: float = STUCK_LIMIT


class WireServer:
    """Serves a booth and its switchboard over the wire protocol."""

    def __init__(
        self,
        booth: Booth,
        switchboard: Switchboard,
        settings: WireSettings,
        open_stream: Callable[[socket.socket], ByteStream] = PlainStream,
    ) -> None:
        """`open_stream` makes the stream of each client's socket. It must not block."""
        self._settings = settings
        self._open_stream = open_stream
        self._unread = Unread(stuck_limit=math.inf)  # the watchdog knows better who takes nothing
        self._dispatcher = Dispatcher(booth, self._unread)
        self._switchboard = switchboard
        self._lock = threading.Lock()
        self._connections: dict[Connection, threading.Thread] = {}
        self._stopping = threading.Event()
        self._listening: ListeningSockets | None = None
        self._shared_reader: SharedReader | None = None
        self._spare = SpareDescriptor()
        self._refusing = LastingState(_log, "new wire connections are refused", "new wire connections are taken again")
        self._slow_writer: SlowWriter | None = None
        self._threads = [
            threading.Thread(target=self._accept, name="wire-accept", daemon=True),
            threading.Thread(target=self._watch, name="wire-watchdog", daemon=True),
        ]

    @property
    def count(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def start(self) -> str:
        """Listen and serve; return the address, HOST:PORT. Raises ListenError."""
        self._listening = ListeningSockets(bind(self._settings.host, self._settings.port))
        self._slow_writer = SlowWriter()
        if CAN_SHARE:
            self._shared_reader = SharedReader(self._dispatcher.booth)
        for thread in self._threads:
            thread.start()
        return self._settings.host.text(self._listening.port)

    def drain(self, grace: float) -> None:
        """Accept no more, answer what was read, and end every connection and thread within `grace` seconds."""
        self._stopping.set()
        if self._listening is not None:
            self._listening.stop()
        for thread in self._threads:
            thread.join()
        if self._listening is not None:
            self._listening.close()
        with self._lock:
            left = dict(self._connections)
        for connection in left:
            connection.drain()
        deadline = time.monotonic() + grace
        for thread in left.values():
            thread.join(max(0.0, deadline - time.monotonic()))
        for connection, thread in left.items():
            connection.shut_down()
            thread.join()
        if self._shared_reader is not None:
            self._shared_reader.stop()
        if self._slow_writer is not None:
            self._slow_writer.stop()

    def cut_short(self) -> None:
        """Have a drain, from any thread, wait no longer for what connections still write and read. Returns at once."""
        with self._lock:
            left = list(self._connections)
        for connection in left:
            connection.shut_down()

    def _accept(self) -> None:
        assert self._listening is not None  # noqa: S101  # set before the thread starts
        for listening in self._listening.ready():
            try:
                client, address = listening.accept()
            except (BlockingIOError, ConnectionError):  # the client has gone again already
                continue
            except OSError as error:
                self._refuse_next(listening, error)
                continue
            try:
                client.setblocking(True)  # on macOS it is as the socket that accepted it
                self._welcome(client, address_text(*address[:2]))
            except OSError:
                client.close()  # it has gone again already
        self._spare.close()

    def _refuse_next(self, listening: socket.socket, error: OSError) -> None:
        """Refuse the next client if there is no descriptor for it: it would wait for its deadline and learn nothing."""
        self._refusing.refused((error.strerror or str(error)).lower())
        try:
            with self._spare.lent():
                client, _ = listening.accept()
                self._refuse(self._open_stream(client), "open files")
        except OSError:
            self._stopping.wait(_WATCH_INTERVAL)

    def _welcome(self, client: socket.socket, peer: str) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = self._open_stream(client)
        if len(self._connections) >= self._settings.max_connections:
            limit = f"{self._settings.max_connections:,} connections"
            self._refusing.refused(f"{limit} are open")
            self._refuse(stream, limit)
            return
        assert self._slow_writer is not None  # noqa: S101  # made before the thread that accepts starts
        max_body = self._settings.text_size + _BODY_OVERHEAD
        writer = FrameWriter(stream, self._slow_writer, self._unread)
        connection = Connection(
            stream, self._dispatcher, self._switchboard, max_body, writer, shared_reader=self._shared_reader, peer=peer
        )
        thread = threading.Thread(target=self._serve, args=(connection,), name="wire-connection", daemon=True)
        with self._lock:
            self._connections[connection] = thread
        try:
            thread.start()
        except RuntimeError:  # the system allows no more threads
            self._forget(connection)
            self._refusing.refused("the system allows no more threads")
            self._refuse(stream, "threads")
        else:
            self._refusing.worked()

    def _serve(self, connection: Connection) -> None:
        try:
            connection.serve()
        except Exception:  # noqa: BLE001  # a defect ends one connection
            _log.exception("a connection failed", extra={"peer": connection.peer()})
            connection.shut_down()
        finally:
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        with self._lock:
            self._connections.pop(connection, None)

    def _refuse(self, stream: ByteStream, limit: str) -> None:
        with contextlib.closing(stream), contextlib.suppress(OSError):  # the client may have gone already
            stream.send_now(encode_frame(actions.RESPONSE, encode_error(TooBusy(limit))))
            stream.end()

    def _watch(self) -> None:
        next_unread = time.monotonic() + _UNREAD_INTERVAL
        while not self._stopping.wait(_WATCH_INTERVAL):
            now = time.monotonic()
            with self._lock:
                connections = list(self._connections)
            for connection in connections:
                self._look_at(connection, now)
            if now >= next_unread:
                next_unread = now + _UNREAD_INTERVAL
                self._unread.cut_off_late()

    def _look_at(self, connection: Connection, now: float) -> None:
        settings = self._settings
        if _is_over(connection.writing_since, now, settings.stuck_limit):
            connection.shut_down()
        elif connection.is_answering:
            return  # it reads nothing meanwhile, so its client may say what it likes and is not heard
        elif (
            _is_over(connection.frame_since, now, settings.frame_limit)
            or _is_over(connection.over_since, now, settings.frame_limit)
            or _is_over(connection.asked_since, now, settings.keepalive_timeout)
            or (not connection.is_listening and now - connection.last_used > settings.idle_timeout)
        ):
            connection.shut_down()
        elif connection.asked_since is None and now - connection.last_received > settings.keepalive_time:
            connection.ask(now)


def _is_over(since: float | None, now: float, limit: float) -> bool:
    return since is not None and now - since > limit
