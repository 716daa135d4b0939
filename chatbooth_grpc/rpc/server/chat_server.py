"""One gRPC server from its start to its drain."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Hashable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health_pb2_grpc

from chatbooth_grpc import unix_sockets
from chatbooth_grpc._gen import chatbooth_pb2_grpc as pb_grpc
from chatbooth_grpc.addresses import Host, ListenError, address_text, bind
from chatbooth_grpc.booth.actions import ACTIONS, LISTS, LOG_INS
from chatbooth_grpc.booth.booth import LISTS_AT_ONCE, LISTS_WAITING, Booth
from chatbooth_grpc.booth.bulkhead import Bulkhead
from chatbooth_grpc.booth.call_log import Call, calling
from chatbooth_grpc.booth.errors import RateLimited
from chatbooth_grpc.booth.observing import GRPC
from chatbooth_grpc.booth.occupancy import Occupancy
from chatbooth_grpc.live.switchboard import Switchboard
from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.rpc.actions import METHODS, SEND_MANY_METHOD, SERVICE_NAME
from chatbooth_grpc.rpc.grpcio.calls import answered_account
from chatbooth_grpc.rpc.grpcio.counted_pool import CountedPool
from chatbooth_grpc.rpc.grpcio.incomplete_calls import IncompleteCalls
from chatbooth_grpc.rpc.grpcio.serving import calls_for
from chatbooth_grpc.rpc.server.credentials import Credentials
from chatbooth_grpc.rpc.server.health import HEALTH_SERVICE, WATCH_METHOD, Health
from chatbooth_grpc.rpc.server.interceptors import Admit, BulkheadInterceptor, CallInterceptor, bearer_token
from chatbooth_grpc.rpc.server.pool_threads import start_threads
from chatbooth_grpc.rpc.server.reply import address_of, peer_text
from chatbooth_grpc.rpc.server.send_streams import SendStreams
from chatbooth_grpc.rpc.server.servicer import ChatServicer
from chatbooth_grpc.rpc.server.settings import ConnectionLimit, GrpcSettings

if TYPE_CHECKING:
    from chatbooth_grpc.tls.reloading import CurrentCertificate

_PASSWORD_THREADS = (os.cpu_count() or 1) + 1
_PASSWORD_CAPACITY = 128
_LIST_CAPACITY = LISTS_WAITING
_HEALTH_WATCHES = 16
REFLECTION_METHOD = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
# A stream of reflection holds a thread until its client ends it.
_REFLECTIONS = 4
# A request may be this much larger than the largest text. So a text that is a little too long gets the booth's own
# clear error, and not gRPC's.
_REQUEST_OVERHEAD = 1 << 20
# How much a client may send before the server reads it.
_WINDOW = 1 << 20
_LATE_CHECK_INTERVAL = 1.0

# How many answers may wait for their clients, for each call that may run at once.
_UNREAD_ANSWERS = 2

CALLS_PER_CONNECTION = 100
"""How many calls of one connection are open at once. gRPC's clients keep further calls waiting.

A client can still open calls and reset them at once. `server/bans.py` keeps such a client away. RFC 9113, 5.1.2 advises
against a limit below 100.
"""


class ChatServer:
    """Serves a booth and its switchboard over gRPC, with a pool of threads, and bulkheads for slow actions."""

    def __init__(
        self,
        booth: Booth,
        switchboard: Switchboard,
        settings: GrpcSettings,
        connections: ConnectionLimit | None = None,
        certificate: CurrentCertificate | None = None,
    ) -> None:
        """`connections` limits the number of connections. None means no limit.

        Without a `certificate`, the server speaks plain text.
        """
        self._settings = settings
        self._credentials = Credentials(certificate) if certificate else None
        self._connections = connections
        self._switchboard = switchboard
        answers = Unread(most=_UNREAD_ANSWERS * settings.max_calls)
        pushes = Unread()
        self._unread = (answers, pushes)
        self._calls = calls_for(answers=answers, pushes=pushes, incomplete=_incomplete_calls(booth))
        pool = self._calls.pool
        calls = pool("call", settings.threads)
        watches = _guarded(pool, "health", "health watches at once", _HEALTH_WATCHES)
        guarded = {**_slow_pools(pool, settings), WATCH_METHOD: watches}
        if settings.reflection:
            guarded[REFLECTION_METHOD] = _guarded(pool, "reflection", "reflection streams at once", _REFLECTIONS)
        self._server = self._calls.server(
            calls,
            interceptors=[
                BulkheadInterceptor(guarded, _admits(booth), booth.observer),
                CallInterceptor(
                    partial(_admit_large_answer, booth, answers), booth.throttles.check_request, booth.observer
                ),
            ],
            options=_channel_options(settings) + _bound(connections, len(settings.host.addresses)),
            most=settings.max_calls,
        )
        self.send_streams = SendStreams(booth, settings.max_send_streams_per_account)
        self._health = Health(SERVICE_NAME, watches)
        servicer: Any = ChatServicer(booth, switchboard, self.send_streams, calls, pushes)
        pb_grpc.add_ChatServiceServicer_to_server(servicer, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if settings.reflection:
            # Its library is an extra.
            from chatbooth_grpc.rpc.server.reflection import add_reflection

            add_reflection(self._server, [SERVICE_NAME, HEALTH_SERVICE])
        self._stopped = threading.Event()
        self._late_calls = threading.Thread(target=self._cancel_late_calls, name="late-calls", daemon=True)
        self._watch = threading.Thread(target=self._watch_connections, name="grpc-connections", daemon=True)

    def start(self) -> str:
        """Listen and serve, and return the address, HOST:PORT. Raises ListenError."""
        port = self._listen()
        if self._connections:
            path = self._settings.host.path
            self._connections.begin(port if path is None else str(path))
        self._start_threads()
        self._server.start()
        return self._settings.host.text(port)

    def _start_threads(self) -> None:
        try:
            self._late_calls.start()
            if self._connections:
                self._watch.start()
            for pool in self._calls.pools:
                start_threads(pool, pool.threads)
            self.send_streams.start()
        except RuntimeError as error:
            raise ListenError(
                "cannot start: the system allows this process no more threads; raise the limit of processes "
                "(ulimit -u, or the container's), or start fewer with --threads"
            ) from error

    def _listen(self) -> int:
        """Have gRPC listen on each address of the host, and return the port.

        gRPC does not say why it cannot listen, or on which of several addresses it listens. So this tries each address
        with a socket first.
        """
        if self._settings.host.path is not None:
            return self._listen_on_socket(self._settings.host)
        tried = bind(self._settings.host, self._settings.port)
        addresses = [each.getsockname()[:2] for each in tried]
        for each in tried:
            each.close()
        port = self._settings.port
        for address, free_port in addresses:
            # For a single address, gRPC chooses a free port itself, so that no other process can take the port first.
            wanted = port or (free_port if len(addresses) > 1 else 0)
            try:
                port = self._add_port(address_text(address, wanted))
            except RuntimeError as error:
                raise ListenError(
                    f"cannot listen on {address_text(address, wanted)}: the port was just taken"
                ) from error
        return port

    def _listen_on_socket(self, host: Host) -> int:
        """Have gRPC listen on a unix socket. gRPC takes the place of any file, so this tries first. Return 0."""
        for each in bind(host, 0):
            each.close()
        try:
            with unix_sockets.private():
                self._add_port(host.text(0))
        except RuntimeError as error:
            raise ListenError(f"cannot listen on {host.text(0)}: the socket was just taken") from error
        return 0

    def _add_port(self, address: str) -> int:
        if self._credentials is None:
            return self._server.add_insecure_port(address)
        return self._server.add_secure_port(address, self._credentials.for_address())

    def say_available(self, is_available: bool) -> None:
        """Tell the clients that ask for the server's health whether the store is available."""
        self._health.say_available(is_available)

    def drain(self) -> None:
        """Report that the server stops, end the streams with their cursors, finish the calls, and end every thread."""
        deadline = time.monotonic() + self._settings.drain_grace
        self._health.drain()
        self.send_streams.drain()
        self._switchboard.drain(self._settings.drain_grace / 2)
        self._server.stop(max(0.0, deadline - time.monotonic())).wait()
        self._stopped.set()
        if self._settings.host.path is not None:
            unix_sockets.remove(self._settings.host.path)
        self.send_streams.stop()
        for pool in self._calls.pools:
            pool.shutdown(wait=True, cancel_futures=True)

    def cut_short(self) -> None:
        """Make a drain stop waiting for the calls in progress. Any thread may call this. It returns at once."""
        self._server.stop(0)

    def _cancel_late_calls(self) -> None:
        while not self._stopped.wait(_LATE_CHECK_INTERVAL):
            self._calls.end_late()
            self.send_streams.end_idle(self._settings.idle_timeout)
            for unread in self._unread:
                unread.cut_off_late()

    def _watch_connections(self) -> None:
        assert self._connections is not None  # noqa: S101  # only then is the thread started
        while not self._stopped.is_set():
            self._connections.wait(self._connections.look())


def _incomplete_calls(booth: Booth) -> IncompleteCalls:
    addresses = booth.shares.addresses

    def count(peer: str) -> None:
        """Count a request that its client gave up, so that a flood of such calls is noticed."""
        with calling(Call("", partial(address_of, peer), GRPC)), suppress(RateLimited):
            booth.throttles.check_request()

    return IncompleteCalls(booth.shares.limits.incomplete_calls, lambda peer: addresses.key(address_of(peer)), count)


def _slow_pools(pool: Callable[..., CountedPool], settings: GrpcSettings) -> dict[str, CountedPool]:
    """Make the pools of slow actions, and return them by the paths of their methods."""
    pools = {
        LOG_INS: _guarded(pool, "password", LOG_INS, _PASSWORD_THREADS, _PASSWORD_CAPACITY - _PASSWORD_THREADS),
        LISTS: _guarded(pool, "list", LISTS, LISTS_AT_ONCE, _LIST_CAPACITY - LISTS_AT_ONCE),
    }
    most = settings.max_send_streams
    # This pool's bulkhead counts the streams, which need no threads.
    streams = pool("send-stream", 1, bulkhead=Bulkhead(f"{most:,} open SendMany streams", working=most, waiting=0))
    slow = {method: pools[limit] for method, action in METHODS.items() if (limit := ACTIONS[action].bulkhead)}
    return {**slow, SEND_MANY_METHOD: streams}


def _guarded(pool: Callable[..., CountedPool], name: str, limit: str, threads: int, waiting: int = 0) -> CountedPool:
    """Make a pool of `threads` threads, whose bulkhead refuses a call when `waiting` calls already wait for one."""
    return pool(name, threads, bulkhead=Bulkhead(limit, working=threads, waiting=waiting))


def _admit_large_answer(booth: Booth, answers: Unread, action: int, token: bytes) -> None:
    """Note which account the answer is for. Raises SessionInvalid, NotPermitted. TooBusy: it leaves too much unread."""
    account_id = booth.authenticated(token, action).account_id
    answers.check(account_id)
    answered_account.set(account_id)


def _admits(booth: Booth) -> dict[str, Admit]:
    """Return the functions that admit calls by their clients' shares, by the paths of their methods."""
    slow = {method: partial(_admit, booth, action) for method, action in METHODS.items() if ACTIONS[action].bulkhead}
    streams = {WATCH_METHOD: booth.shares.watches, REFLECTION_METHOD: booth.shares.reflections}
    return {**slow, **{method: partial(_admit_peer, booth, places) for method, places in streams.items()}}


def _admit(booth: Booth, action: int, context: grpc.ServicerContext) -> Callable[[], object]:
    """Take a place for a call of a slow action, and return a function that gives it back. Raises TooBusy."""
    account: Hashable = None
    if ACTIONS[action].needs_session:
        token = bearer_token(context)
        session = booth.cached_session(token)
        account = token if session is None else session.account_id
    places, key = booth.shares.place_of(ACTIONS[action].bulkhead, peer_text(context), account)
    places.enter(key)
    return partial(places.leave, key)


def _admit_peer(booth: Booth, places: Occupancy, context: grpc.ServicerContext) -> Callable[[], object]:
    """Take a place for a call by its client's address, and return a function that gives it back. Raises TooBusy."""
    key = booth.shares.addresses.key(peer_text(context))
    places.enter(key)
    return partial(places.leave, key)


def _channel_options(settings: GrpcSettings) -> list[tuple[str, int]]:
    keepalive_timeout = _milliseconds(settings.keepalive_timeout)
    options = [
        # The probe would ping after every message, to find another size for the window. The window needs none.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", _WINDOW),
        ("grpc.max_concurrent_streams", CALLS_PER_CONNECTION),
        # With this protection, gRPC refuses calls even of a client that keeps to the limit: 21% of them with 100 calls
        # at once on a connection, 60% with 300. The two sides count differently for a moment when a call ends.
        ("grpc.http.overload_protection", 0),
        # A second server on the port must fail. It must not share the port.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", settings.limits.text_size + _REQUEST_OVERHEAD),
        ("grpc.max_connection_idle_ms", _milliseconds(settings.idle_timeout)),
        ("grpc.server_handshake_timeout_ms", 10_000),
        ("grpc.keepalive_time_ms", _milliseconds(settings.keepalive_time)),
        # This finds a client that is cut off.
        ("grpc.keepalive_timeout_ms", keepalive_timeout),
        # This finds a client that is frozen.
        ("grpc.http2.ping_timeout_ms", keepalive_timeout),
        ("grpc.keepalive_permit_without_calls", 1),
        # A client may ping as often as it likes, since an answer costs little. With a limit, gRPC's work for each ping
        # of a flood grows with the pings before it. Ten connections then kept all of gRPC's threads busy.
        ("grpc.http2.max_ping_strikes", 0),
    ]
    if settings.max_connection_age:
        options.append(("grpc.max_connection_age_ms", _milliseconds(settings.max_connection_age)))
        options.append(("grpc.max_connection_age_grace_ms", _milliseconds(settings.drain_grace)))
    return options


def _bound(connections: ConnectionLimit | None, addresses: int) -> list[tuple[str, int]]:
    # gRPC counts the connections of each address on which it listens by themselves.
    return [("grpc.max_allowed_incoming_connections", connections.most_on_each(addresses))] if connections else []


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1_000)
