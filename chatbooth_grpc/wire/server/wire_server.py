"""The wire protocol's server, which accepts, refuses, watches and ends connections.

Its threads are:

- one that accepts connections, and refuses those over the limits with an answer;
- one for each connection, which reads requests and answers them;
- the shared reader, which reads for the connections that send steadily (`shared_reader`);
- the slow writer, which writes to the clients that read slowly (`slow_writer`);
- the watchdog, which looks at every connection a few times a second.

The watchdog ends a connection that is unused for longer than the idle timeout, where a live stream counts as use. It
also ends one whose handshake or frame stays incomplete, whose client takes no bytes, or that does not answer a ping.
TCP's own keepalive finds a peer that is cut off. It does not find a process that is stopped, because the kernel still
answers.
"""

from __future__ import annotations

import logging
import math
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from chatbooth_grpc import unix_sockets
from chatbooth_grpc.addresses import NOBODY, Host, Peers, address_text, bind
from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.call_log import Call
from chatbooth_grpc.booth.errors import RateLimited, TooBusy
from chatbooth_grpc.booth.lasting_state import LastingState
from chatbooth_grpc.booth.observing import WIRE
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.live.unread import STUCK_LIMIT, Unread
from chatbooth_grpc.wire.server.connection import Connection
from chatbooth_grpc.wire.server.dispatch import Dispatcher
from chatbooth_grpc.wire.server.frame_writer import FrameWriter
from chatbooth_grpc.wire.server.listening import ListeningSockets
from chatbooth_grpc.wire.server.proxy_header import NoProxyHeader, receive_header
from chatbooth_grpc.wire.server.refusing import Refusals
from chatbooth_grpc.wire.server.shared_reader import CAN_SHARE, SharedReader
from chatbooth_grpc.wire.server.slow_writer import SlowWriter
from chatbooth_grpc.wire.server.spare_descriptor import SpareDescriptor
from chatbooth_grpc.wire.streams.byte_stream import ByteStream
from chatbooth_grpc.wire.streams.plain_stream import PlainStream

HANDSHAKE_LIMIT = 10.0
"""How long the handshake of TLS may take, in seconds."""

FRAME_LIMIT = 10.0
"""How long a frame may take from its first byte to its last, in seconds."""

# A body may be larger than the largest text by this. So a text that is a little too long gets the error that says so.
_BODY_OVERHEAD = 64 << 10
_WATCH_INTERVAL = 0.2

# This is seldom, because a client that is cut off connects again, and the server sends its messages again.
_UNREAD_INTERVAL = 5.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WireSettings:
    """How the wire server runs. Times are in seconds, sizes in bytes."""

    host: Host
    port: int
    text_size: int
    max_connections: int = 4_000
    idle_timeout: float = 600.0
    keepalive_time: float = 60.0
    keepalive_timeout: float = 20.0
    handshake_limit: float = HANDSHAKE_LIMIT
    # The proxies whose connections begin with a header of the PROXY protocol.
    proxies: Peers = NOBODY
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
        """`open_stream` makes the byte stream of each client's socket. It must not block."""
        self._settings = settings
        self._open_stream = open_stream
        self._observer = booth.observer
        self._shares = booth.shares
        self._throttles = booth.throttles
        # The addresses for which connections count. A proxy's connections count for nobody.
        self._keys: dict[Connection, str] = {}
        # Those addresses of connections whose handshakes have not ended.
        self._handshakes: dict[Connection, str] = {}
        # The watchdog ends the connections whose clients take nothing, so `Unread` must not.
        self._unread = Unread(stuck_limit=math.inf)
        self._dispatcher = Dispatcher(booth, self._unread)
        self._switchboard = switchboard
        self._lock = threading.Lock()
        self._connections: dict[Connection, threading.Thread] = {}
        self._stopping = threading.Event()
        self._listening: ListeningSockets | None = None
        self._shared_reader: SharedReader | None = None
        self._spare = SpareDescriptor()
        self._refusing = LastingState(_log, "new wire connections are refused", "new wire connections are taken again")
        self._refusals = Refusals(settings.handshake_limit)
        self._headerless = LastingState(
            _log, "connections of a proxy are ended", "connections of a proxy have headers again"
        )
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
        """Listen and serve. Return the address, HOST:PORT. Raises ListenError."""
        self._listening = ListeningSockets(bind(self._settings.host, self._settings.port))
        self._slow_writer = SlowWriter()
        if CAN_SHARE:
            self._shared_reader = SharedReader(self._dispatcher.booth)
        for thread in self._threads:
            thread.start()
        return self._settings.host.text(self._listening.port)

    def drain(self, grace: float) -> None:
        """Accept no more, answer the requests that were read, and end all connections within `grace` seconds."""
        self._stopping.set()
        if self._listening is not None:
            self._listening.stop()
        for thread in self._threads:
            thread.join()
        if self._listening is not None:
            self._listening.close()
            if self._settings.host.path is not None:
                unix_sockets.remove(self._settings.host.path)
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
        self._refusals.stop()
        if self._shared_reader is not None:
            self._shared_reader.stop()
        if self._slow_writer is not None:
            self._slow_writer.stop()

    def cut_short(self) -> None:
        """Make a drain stop waiting for its connections. Any thread may call this. It returns at once."""
        with self._lock:
            left = list(self._connections)
        for connection in left:
            connection.shut_down()

    def end(self, call: Call) -> None:
        """End the connection of a call, if it came over the wire. Any thread may call this. It returns at once."""
        if call.wire != WIRE:
            return
        peer = call.peer()
        with self._lock:
            unwanted = [connection for connection in self._connections if connection.peer() == peer]
        for connection in unwanted:
            connection.shut_down()

    def _accept(self) -> None:
        assert self._listening is not None  # noqa: S101  # `start` sets it
        for listening in self._listening.ready():
            try:
                client, address = listening.accept()
            except (BlockingIOError, ConnectionError):
                # The client has gone.
                continue
            except OSError as error:
                self._refuse_next(listening, error)
                continue
            try:
                # On macOS it inherits the mode of the listening socket.
                client.setblocking(True)
                self._welcome(client, *address[:2])
            except OSError:
                client.close()  # the client has gone
        self._spare.close()

    def _refuse_next(self, listening: socket.socket, error: OSError) -> None:
        """Refuse the next client when no descriptor is free. Without an answer it would wait until its deadline."""
        self._refusing.refused((error.strerror or str(error)).lower())
        try:
            with self._spare.lent():
                client, _ = listening.accept()
                stream = self._open_stream(client)
                if stream.is_ready:
                    self._turn_away(stream, TooBusy("open files"))
                else:
                    # The handshake would keep the spare descriptor, which the next client needs.
                    stream.close()
        except OSError:
            self._stopping.wait(_WATCH_INTERVAL)

    def _welcome(self, client: socket.socket, host: str = "", port: int = 0) -> None:
        """Serve a client, or refuse it. One on a unix socket has no host."""
        if client.family != socket.AF_UNIX:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = address_text(host, port) if host else "unix"
        stream = self._open_stream(client)
        if len(self._connections) + self._refusals.delayed >= self._settings.max_connections:
            # Those that wait for a refusal take no place from others.
            self._refusals.answer_oldest()
        if len(self._connections) >= self._settings.max_connections:
            limit = f"{self._settings.max_connections:,} connections"
            self._refusing.refused(f"{limit} are open")
            self._turn_away(stream, TooBusy(limit), peer)
            return
        is_proxy = self._settings.proxies.has(host)
        try:
            key = None if is_proxy else self._admit(peer, stream)
        except (TooBusy, RateLimited) as refusal:
            self._turn_away(stream, refusal, peer)
            return
        assert self._slow_writer is not None  # noqa: S101  # `start` makes it
        max_body = self._settings.text_size + _BODY_OVERHEAD
        writer = FrameWriter(stream, self._slow_writer, self._unread)
        connection = Connection(
            stream,
            self._dispatcher,
            self._switchboard,
            max_body,
            writer,
            shared_reader=self._shared_reader,
            peer=peer,
            receive_header=partial(self._receive_header, client) if is_proxy else None,
        )
        thread = threading.Thread(target=self._serve, args=(connection,), name="wire-connection", daemon=True)
        with self._lock:
            self._connections[connection] = thread
            if key is not None:
                self._keys[connection] = key
                if not stream.is_ready:
                    self._handshakes[connection] = key
        try:
            thread.start()
        except RuntimeError:
            # The system allows no more threads.
            self._forget(connection)
            self._refusing.refused("the system allows no more threads")
            self._turn_away(stream, TooBusy("threads"))
        else:
            self._refusing.worked()

    def _admit(self, peer: str, stream: ByteStream) -> str | None:
        """Count a new connection, and return the key of its address. Raises TooBusy, RateLimited."""
        key = self._shares.addresses.key(peer)
        self._throttles.check_connection(peer)
        self._shares.wire_connections.enter(key)
        if not stream.is_ready:
            try:
                self._begin_handshake(key)
            except TooBusy:
                self._shares.wire_connections.leave(key)
                raise
        return key

    def _begin_handshake(self, key: str | None) -> None:
        """Count a handshake of an address. Raises TooBusy."""
        try:
            self._shares.handshakes.enter(key)
        except TooBusy:
            # Some may have ended since the watchdog looked: an office that connects again is no crowd of stalled ones.
            for connection, other in list(self._handshakes.items()):
                if other == key and connection.opening_since is None:
                    self._note_ready(connection)
            self._shares.handshakes.enter(key)

    def _turn_away(self, stream: ByteStream, error: TooBusy | RateLimited, peer: str = "") -> None:
        if self._observer is not None:
            self._observer.connection_refused(error.limit)
        refuse = self._refusals.refuse_later if isinstance(error, RateLimited) else self._refusals.refuse
        refuse(stream, error, peer)

    def _receive_header(self, proxied: socket.socket) -> str | None:
        """Return the client's address from the header of a proxy. Raises OSError."""
        try:
            peer = receive_header(proxied)
        except NoProxyHeader:
            self._headerless.refused("a proxy of --proxy-protocol sent no header of the PROXY protocol")
            raise
        self._headerless.worked()
        return peer

    def _serve(self, connection: Connection) -> None:
        try:
            connection.serve()
        except Exception:  # noqa: BLE001  # a bug ends one connection
            _log.exception("a connection failed", extra={"peer": connection.peer()})
            connection.shut_down()
        finally:
            self._forget(connection)

    def _forget(self, connection: Connection) -> None:
        with self._lock:
            self._connections.pop(connection, None)
            key = self._keys.pop(connection, None)
        self._shares.wire_connections.leave(key)
        self._note_ready(connection)

    def _note_ready(self, connection: Connection) -> None:
        """Note that a connection's handshake has ended. A repeat does nothing."""
        self._shares.handshakes.leave(self._handshakes.pop(connection, None))

    def _watch(self) -> None:
        next_unread = time.monotonic() + _UNREAD_INTERVAL
        while not self._stopping.wait(_WATCH_INTERVAL):
            now = time.monotonic()
            with self._lock:
                connections = list(self._connections)
            for connection in connections:
                self._look_at(connection, now)
            self._refusals.answer_due(now)
            self._refusals.cut_off_late(now)
            if now >= next_unread:
                next_unread = now + _UNREAD_INTERVAL
                self._unread.cut_off_late()

    def _look_at(self, connection: Connection, now: float) -> None:
        settings = self._settings
        opening_since = connection.opening_since
        if opening_since is not None:
            # Until the handshake is over, nothing can be asked of the client.
            if _is_over(opening_since, now, settings.handshake_limit):
                connection.shut_down()
            return
        self._note_ready(connection)
        if _is_over(connection.writing_since, now, settings.stuck_limit):
            connection.shut_down()
        elif connection.is_answering:
            # The server reads nothing from this client now, so it cannot judge the client's silence or its frames.
            return
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
