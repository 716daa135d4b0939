"""Each attack on a running server: honest clients are served meanwhile, and the server stays small."""

from __future__ import annotations

import sys
from contextlib import ExitStack

import pytest

from bench.attacks.catalogue import ATTACKS
from bench.attacks.honest import HonestClient, Seen
from bench.attacks.scene import Scene, attacking, open_scene

_MESSAGES = 20
_PATIENCE = 60.0
_MEBIBYTE = 1 << 20

# Those of gRPC's core, and the pools that grow with use.
_MORE_THREADS = 64
# Each of them holds a thread, and an address may have this many.
_WIRE_CONNECTIONS = 256

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the attackers use addresses and calls that only Linux has"),
    pytest.mark.slow,
]


@pytest.mark.parametrize("name", ATTACKS)
def test_honest_clients_are_served_during_an_attack(name: str) -> None:
    attack = ATTACKS[name]
    with open_scene(attack) as scene:
        with ExitStack() as closing:
            clients = [closing.enter_context(honest(scene, wire)) for wire in scene.addresses]
            for client in clients:
                assert seen_by(client) == (_MESSAGES, [], 0)
            memory, threads = scene.server.resident_bytes(), scene.server.threads()
            # This resets the peak.
            scene.server.peak_resident_bytes()
            with attacking(name, scene.target, attack.short):
                for client in clients:
                    assert seen_by(client) == (_MESSAGES, [], 0)
                assert scene.server.threads() < threads + _WIRE_CONNECTIONS + _MORE_THREADS
                assert scene.server.peak_resident_bytes() < memory + attack.memory * _MEBIBYTE
        assert scene.server.stop() == 0


def honest(scene: Scene, wire: str) -> HonestClient:
    """Return an honest client of one wire."""
    return HonestClient(scene.addresses[wire], f"honest-{wire}", scene.server.security)


def seen_by(client: HonestClient) -> tuple[int, list[str], int]:
    """Return how many messages a client sends, its errors, and how many messages did not arrive."""
    seen = Seen()
    begun = dict(client.send(seen) for _ in range(_MESSAGES))
    client.visit(seen)
    client.wait_for_arrivals(seen, begun, _PATIENCE)
    return len(seen.sends), seen.errors, seen.missing
