"""python -m chatbooth_grpc.server: read the flags, open the store, serve, drain."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from chatbooth_grpc.addresses import ListenError
from chatbooth_grpc.environment import SERVER_VARIABLES, remarks
from chatbooth_grpc.generated import StubsUnusable, load_stubs
from chatbooth_grpc.server.draining import drain, stop
from chatbooth_grpc.server.extras import ExtraMissing
from chatbooth_grpc.server.flags import Program, Settings, parse_settings, wanted_log_format
from chatbooth_grpc.server.greeting import greet, serving_program, serving_status
from chatbooth_grpc.server.logs import announce, configure_logs, log_everything
from chatbooth_grpc.server.notifying import Supervisor
from chatbooth_grpc.server.signals import Signals
from chatbooth_grpc.server.twins import FlagError
from chatbooth_grpc.streams import open_closed_streams, settle_streams

if TYPE_CHECKING:
    import socket

    from chatbooth_grpc.booth.admin_store import AdminStore
    from chatbooth_grpc.booth.booth import Booth
    from chatbooth_grpc.booth.call_log import Call
    from chatbooth_grpc.booth.client_addresses import ClientAddresses
    from chatbooth_grpc.booth.credentials import Passwords
    from chatbooth_grpc.booth.observing import Observer
    from chatbooth_grpc.live.reaper import Reaper
    from chatbooth_grpc.live.switchboard import Switchboard
    from chatbooth_grpc.rpc.server.admin_server import AdminServer
    from chatbooth_grpc.server.bans import Bans
    from chatbooth_grpc.server.descriptors import Shares
    from chatbooth_grpc.server.grpc_connections import GrpcConnections
    from chatbooth_grpc.server.metrics import Metrics
    from chatbooth_grpc.server.traces import Traces
    from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
    from chatbooth_grpc.tls.reloading import CurrentCertificate
    from chatbooth_grpc.wire.server.wire_server import WireServer
    from chatbooth_grpc.wire.streams.byte_stream import ByteStream


_log = logging.getLogger("chatbooth_grpc.server")


def main(arguments: Sequence[str] | None = None, program: Program | None = None, warnings: Sequence[str] = ()) -> int:
    """Run the server. Return its exit code: 0 after a drain, 1 if it could not start, 2 after wrong usage.

    `program` says how the user started the server, if not as a module or as the installed command. `warnings` are
    logged first.
    """
    open_closed_streams()
    exit_code = _start(sys.argv[1:] if arguments is None else arguments, program or serving_program(), warnings)
    # Only the help goes to standard output. It is a failure too if standard output did not take it.
    unprinted = settle_streams()
    return exit_code or int(unprinted is not None)


def _start(arguments: Sequence[str], program: Program, warnings: Sequence[str]) -> int:
    """Read the flags and run the server. Return the exit code."""
    configure_logs("info", wanted_log_format(arguments))
    log_everything()
    try:
        settings = parse_settings(arguments, program=program)
    except FlagError as error:
        return _fail(error, 2)
    except ListenError as error:
        return _fail(error, 1)
    # argparse has printed the help.
    except SystemExit:
        return 0
    # Standard output did not take the help, which is too long for its buffer.
    except OSError:
        return 1
    configure_logs(settings.log_level, settings.log_format)
    for warning in (*warnings, *remarks(os.environ, SERVER_VARIABLES)):
        _log.warning(warning)
    return _run(settings)


def _run(settings: Settings) -> int:
    """Load the libraries that the server needs, and serve. Return the exit code."""
    signals = Signals()
    supervisor = Supervisor()
    # gRPC reads this when it is loaded. Our own log lines say what matters.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        load_stubs()
    except StubsUnusable as error:
        return _fail(error, 1)

    from chatbooth_grpc.server.memory import tune_memory
    from chatbooth_grpc.store.sqlite.opening import StoreOpenError
    from chatbooth_grpc.tls.certificate_files import CertificateUnusable

    tune_memory()
    try:
        _serve(settings, signals, supervisor)
    except (StoreOpenError, ListenError, CertificateUnusable, ExtraMissing) as error:
        return _fail(error, 1)
    return 0


def _fail(error: Exception, exit_code: int) -> int:
    """Say why the server does not start. Return the exit code."""
    announce(str(error), text=f"chatbooth: {error}", level=logging.ERROR, exit_code=exit_code)
    return exit_code


def _serve(settings: Settings, signals: Signals, supervisor: Supervisor) -> None:
    """Serve until a signal ends the server, then drain.

    Raises StoreOpenError, ListenError, CertificateUnusable, ExtraMissing.
    """
    from chatbooth_grpc.booth.client_addresses import ClientAddresses
    from chatbooth_grpc.booth.credentials import Passwords
    from chatbooth_grpc.live.switchboard import Switchboard
    from chatbooth_grpc.rpc.server.chat_server import ChatServer
    from chatbooth_grpc.server.memory import return_memory

    certificate = _certificate(settings)
    signals.reload = partial(_reload, supervisor, certificate)
    _require_reflection(settings)
    metrics, traces = _metrics(settings), _traces(settings)
    observer = _observer(metrics, traces)
    with _open_store(settings, observer) as store:
        switchboard = Switchboard(
            store,
            max_listeners=settings.max_listeners,
            per_account=settings.max_listeners_per_account,
            observer=observer,
        )
        passwords, addresses = Passwords(), ClientAddresses(settings.trusted_addresses)
        shares = _shares(settings)
        connections = _grpc_connections(settings, shares, addresses, observer, lambda key: bans.ban(key))  # noqa: PLW0108  # made below
        bans = _bans(addresses, connections, lambda: wire)
        booth = _booth(settings, store, switchboard, passwords, bans=bans, observer=observer)
        reaper = _reaper(settings, store, switchboard, metrics)
        wire = _wire_server(settings, shares, booth, switchboard, certificate)
        server = ChatServer(booth, switchboard, settings, connections, certificate) if settings.grpc else None
        if server:
            store.watch_availability(server.say_available)
        wire_address = wire.start() if wire else None
        address = server.start() if server else None
        bans.start([] if settings.host.path else _ports(address, wire_address))
        reaper.start()
        if certificate:
            certificate.start()
        if metrics:
            counts = _connection_counts(connections if server else None, wire)
            _start_metrics(metrics, store, switchboard, counts, certificate)
        admin = _start_admin(settings, store.administration, passwords)
        return_memory()
        greet(address, wire_address, str(settings.store), certificate.now.fingerprint if certificate else None)
        supervisor.watch(store.is_moving)
        supervisor.say_ready(serving_status(address, wire_address))
        _wait_for_end(settings, signals, supervisor)
        drain(settings.drain_grace, signals, (server, wire), switchboard, (bans, reaper, admin, metrics))
        # The calls and streams that end now have traces, too.
        stop(certificate, traces)
        _log.info("stopped")


def _open_store(settings: Settings, observer: Observer | None) -> SQLiteStore:
    """Open the store, or make it. Raises StoreOpenError."""
    from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore

    return SQLiteStore(
        settings.store,
        store_wait=settings.limits.store_wait,
        max_mailbox=settings.limits.max_mailbox,
        restored=settings.restored,
        observer=observer,
    )


def _booth(
    settings: Settings,
    store: SQLiteStore,
    switchboard: Switchboard,
    passwords: Passwords,
    *,
    bans: Bans,
    observer: Observer | None,
) -> Booth:
    from chatbooth_grpc.booth.booth import Booth
    from chatbooth_grpc.booth.fair_shares import FairShares
    from chatbooth_grpc.booth.throttles import Throttles

    return Booth(
        store,
        limits=settings.limits,
        passwords=passwords,
        listens=switchboard.listens,
        observer=observer,
        throttles=Throttles(settings.rates, bans.addresses, insisted=bans.insisted),
        shares=FairShares(settings.shares, bans.addresses),
    )


def _reaper(settings: Settings, store: SQLiteStore, switchboard: Switchboard, metrics: Metrics | None) -> Reaper:
    from chatbooth_grpc.live.reaper import Reaper

    return Reaper(
        store,
        switchboard,
        settings.limits.session_expiry,
        retain=settings.limits.retain,
        sample=metrics.sampler(store.administration.unacknowledged) if metrics else None,
    )


def _wire_server(
    settings: Settings, shares: Shares, booth: Booth, switchboard: Switchboard, certificate: CurrentCertificate | None
) -> WireServer | None:
    """Return the server of the wire protocol, if it is wanted."""
    from chatbooth_grpc.wire.server.wire_server import WireServer, WireSettings

    if not shares.wire:
        return None
    wire_settings = WireSettings(
        host=settings.host.beside(".wire") if settings.grpc else settings.host,
        proxies=settings.proxy_protocol,
        port=settings.wire_port or 0,
        text_size=settings.limits.text_size,
        max_connections=shares.wire,
        idle_timeout=settings.idle_timeout,
        keepalive_time=settings.keepalive_time,
        keepalive_timeout=settings.keepalive_timeout,
    )
    return WireServer(booth, switchboard, wire_settings, _open_stream(certificate))


def _grpc_connections(
    settings: Settings,
    shares: Shares,
    addresses: ClientAddresses,
    observer: Observer | None,
    flooding: Callable[[str], None],
) -> GrpcConnections:
    from chatbooth_grpc.server.grpc_connections import GrpcConnections

    return GrpcConnections(
        settings.max_grpc_connections,
        settings.shares.connections,
        shares.grpc,
        addresses,
        refused=observer.connection_refused if observer else lambda _: None,
        flooding=flooding,
    )


def _bans(addresses: ClientAddresses, connections: GrpcConnections, wire: Callable[[], WireServer | None]) -> Bans:
    """Return the bans of clients that insist. `wire` returns the server of the wire protocol, if there is one."""
    from chatbooth_grpc.booth.observing import WIRE
    from chatbooth_grpc.server.bans import Bans
    from chatbooth_grpc.server.packet_filter import drop_packets_of

    def end(call: Call) -> None:
        server = wire() if call.wire == WIRE else connections
        if server:
            server.end(call)

    return Bans(addresses, end, drop_packets_of)


def _ports(*addresses: str | None) -> list[int]:
    return [int(address.rpartition(":")[2]) for address in addresses if address]


def _wait_for_end(settings: Settings, signals: Signals, supervisor: Supervisor) -> None:
    """Wait for a signal that ends the server, and say that the drain begins."""
    received = signals.wait_for_end()
    supervisor.say_stopping()
    _log.info("draining", extra={"signal": received, "grace_seconds": settings.drain_grace})


def _reload(supervisor: Supervisor, certificate: CurrentCertificate | None) -> None:
    """Read again what can change without a restart, which is the certificate. Returns at once."""
    supervisor.say_reloading()
    if certificate:
        certificate.reload(supervisor.say_ready)
    else:
        _log.info("nothing to reload: a changed setting needs a restart", extra={"signal": "SIGHUP"})
        supervisor.say_ready()


def _require_reflection(settings: Settings) -> None:
    """Check that the library is there if reflection is wanted. Raises ExtraMissing."""
    if settings.reflection and importlib.util.find_spec("grpc_reflection") is None:
        raise ExtraMissing("--reflection", "grpcio-reflection", "reflection")


def _metrics(settings: Settings) -> Metrics | None:
    """Return the metrics if they are wanted. Raises ExtraMissing."""
    if settings.metrics is None:
        return None
    from chatbooth_grpc.server.metrics import Metrics

    return Metrics(settings.metrics)


def _traces(settings: Settings) -> Traces | None:
    """Return the traces if they are wanted. Raises ExtraMissing."""
    if settings.traces is None:
        return None
    from chatbooth_grpc.server.traces import Traces

    _log.info("traces", extra={"receiver": settings.traces, "sample": settings.trace_sample})
    return Traces(settings.traces, settings.trace_sample)


def _observer(metrics: Metrics | None, traces: Traces | None) -> Observer | None:
    """Return one observer for all that are wanted."""
    from chatbooth_grpc.booth.observing import one_observer

    return one_observer([*([metrics.tally] if metrics else []), *([traces.observer] if traces else [])])


def _start_metrics(
    metrics: Metrics,
    store: SQLiteStore,
    switchboard: Switchboard,
    connections: Callable[[], Mapping[str, int | None]],
    certificate: CurrentCertificate | None,
) -> None:
    """Serve the metrics. Raises ListenError."""
    from chatbooth_grpc.metrics.gauges import Gauges
    from chatbooth_grpc.store.sqlite.last_backup import last_backup

    gauges = Gauges(
        queue_depth=lambda: store.queue_depth,
        listeners=lambda: switchboard.count,
        connections=connections,
        store=store.path,
        is_store_available=lambda: store.is_available,
        unacknowledged=lambda: metrics.unacknowledged,
        certificate_end=lambda: certificate.now.ends if certificate else None,
        last_backup=lambda: last_backup(store.path),
    )
    _log.info("metrics", extra={"url": f"http://{metrics.start(gauges)}/metrics"})


def _connection_counts(
    grpc_connections: GrpcConnections | None, wire: WireServer | None
) -> Callable[[], Mapping[str, int | None]]:
    """Return a function that counts the connections of each wire that is served."""
    counts: dict[str, Callable[[], int | None]] = {}
    if grpc_connections:
        counts["grpc"] = lambda: grpc_connections.count
    if wire:
        counts["wire"] = lambda: wire.count
    return lambda: {name: count() for name, count in counts.items()}


def _certificate(settings: Settings) -> CurrentCertificate | None:
    """Read the server's certificate. None means plain text. Raises CertificateUnusable."""
    if settings.encryption is None:
        return None
    from chatbooth_grpc.tls.reloading import CurrentCertificate

    if settings.encryption.makes_certificate:
        import socket

        from chatbooth_grpc.tls.self_signed import make_certificate_once

        make_certificate_once(
            settings.encryption.files, [settings.host.name, *settings.host.addresses, socket.gethostname()]
        )
    return CurrentCertificate(settings.encryption.files)


def _open_stream(certificate: CurrentCertificate | None) -> Callable[[socket.socket], ByteStream]:
    """Return a function that makes the byte stream of a client of the wire protocol."""
    if certificate is None:
        from chatbooth_grpc.wire.streams.plain_stream import PlainStream

        return PlainStream
    from chatbooth_grpc.wire.streams.tls_stream import tls_server

    return tls_server(lambda: certificate.now.context)


def _start_admin(settings: Settings, store: AdminStore, passwords: Passwords) -> AdminServer:
    """Let the server's user administer the store, beside its file."""
    from chatbooth_grpc.booth.administration import Administration
    from chatbooth_grpc.rpc.server.admin_server import AdminServer
    from chatbooth_grpc.store.sqlite.opening import absolute_path

    administration = Administration(store, name_hold=settings.limits.name_hold, passwords=passwords)
    admin = AdminServer(administration, absolute_path(settings.store))
    admin.start()
    return admin


def _shares(settings: Settings) -> Shares:
    """Divide the descriptors that the system allows among the protocols that are served."""
    from chatbooth_grpc.server.descriptors import raise_file_limit, shares_of

    max_wire = 0 if settings.wire_port is None else settings.max_connections
    return shares_of(raise_file_limit(), grpc=settings.grpc, max_wire=max_wire)


if __name__ == "__main__":
    sys.exit(main())
