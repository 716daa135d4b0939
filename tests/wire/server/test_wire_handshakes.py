"""An address has a limited number of TLS handshakes at once over the wire protocol."""

from __future__ import annotations

import socket
from pathlib import Path

from chatbooth_grpc.booth.client_addresses import ClientAddresses
from chatbooth_grpc.booth.fair_shares import FairShares, ShareLimits
from chatbooth_grpc.wire.streams.tls_stream import tls_server
from tests.booth.recording_observer import RecordingObserver
from tests.waiting import wait_until
from tests.wire.certificates import Certificate
from tests.wire.running import PATIENCE, Peer, Running


def test_stalled_handshakes_of_one_address_leave_room_for_others(certificate: Certificate, tmp_path: Path) -> None:
    shares = FairShares(ShareLimits(handshakes=3), ClientAddresses(()))
    observer = RecordingObserver()
    opening = tls_server(certificate.server)
    with Running(tmp_path / "s.db", open_stream=opening, shares=shares, observer=observer) as running:
        for _ in range(5):
            running.peer("127.0.0.2")
        wait_until(lambda: observer.refused_connections == ["3 TLS handshakes at once from one address"] * 2)
        assert running.server.count == 3
        shaken = [encrypted(running, certificate, "127.0.0.3") for _ in range(3)]
        # A handshake that has ended counts no more.
        wait_until(lambda: len(shares.handshakes) == 1)
        shaken.append(encrypted(running, certificate, "127.0.0.3"))
        for number, each in enumerate(shaken):
            each.sign_up(f"name{number}")
            each.close()
        running.close_peers()
        wait_until(lambda: len(shares.handshakes) == 0)
        wait_until(lambda: len(shares.wire_connections) == 0)


def test_handshakes_that_have_ended_refuse_no_other(certificate: Certificate, tmp_path: Path) -> None:
    shares = FairShares(ShareLimits(handshakes=2), ClientAddresses(()))
    observer = RecordingObserver()
    opening = tls_server(certificate.server)
    with Running(tmp_path / "s.db", open_stream=opening, shares=shares, observer=observer) as running:
        # They come faster than the watchdog looks. Each is used, so its handshake has ended.
        peers = []
        for number in range(20):
            peers.append(encrypted(running, certificate, "127.0.0.2"))
            peers[-1].sign_up(f"name{number}")
        assert observer.refused_connections == []
        for peer in peers:
            peer.close()


def encrypted(running: Running, certificate: Certificate, source: str) -> Peer:
    """Connect from an address, and shake hands."""
    plain = socket.create_connection(("127.0.0.1", running.port), PATIENCE, (source, 0))
    return Peer(certificate.client().wrap_socket(plain, server_hostname="localhost"))
