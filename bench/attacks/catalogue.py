"""All attacks: each attacker, its size, and the server that it attacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.attacks import account_scripts, http2_scripts, stray_scripts, wire_scripts
from bench.attacks.crowd import Crowd, Script
from bench.attacks.open_calls import deaf_calls, with_mail
from bench.attacks.target import ATTACKER, Attacker, Target

_SERVICE = http2_scripts.SERVICE
_HEALTH = "/grpc.health.v1.Health/"


@dataclass(frozen=True)
class Attack:
    """One attack."""

    words: str
    """The words for the attack in a table."""
    attacker: Attacker
    size: int
    """How many calls or connections the attacker keeps open at once."""
    short: int
    """The same for a short run, which only shows that the server stands it."""
    waiting: int = 0
    """How many messages wait in the attacker's mailbox."""
    accounts: int = 0
    """How many accounts the store has beside those of the run."""
    flags: tuple[str, ...] = ()
    """The flags of the server."""
    tls: bool = False
    """Whether the server speaks TLS."""
    memory: int = 96
    """By how many MiB the server's memory may grow in a short run."""


def _crowd(script: Callable[[Target, int], Script]) -> Attacker:
    """Return an attacker that is a crowd of connections, all with this script."""

    def attack(target: Target, size: int) -> Iterator[None]:
        return Crowd(size, lambda number: script(target, number)).run()

    return attack


ATTACKS = {
    "half-headers": Attack("headers of a call that never end", _crowd(http2_scripts.half_headers), 300, 20),
    "bodiless": Attack("calls without a request", _crowd(http2_scripts.bodiless_calls), 22, 2),
    "half-messages": Attack("half of a request", _crowd(http2_scripts.half_messages), 22, 2),
    "slow-requests": Attack("one byte of a request a second", _crowd(http2_scripts.slow_requests), 22, 2),
    "resets": Attack("calls that are reset at once", _crowd(http2_scripts.resets), 1, 1),
    "many-resets": Attack("the same on ten connections", _crowd(http2_scripts.resets), 10, 2),
    "continuations": Attack("CONTINUATION frames without end", _crowd(http2_scripts.continuations), 10, 4),
    "pings": Attack("PING frames", _crowd(http2_scripts.pings), 10, 4),
    "settings": Attack("SETTINGS frames", _crowd(http2_scripts.settings), 10, 4),
    "metadata": Attack("metadata of 7.5 and of 40 KB", _crowd(http2_scripts.large_metadata), 20, 4),
    "bombs": Attack("requests that are 30 MiB when decompressed", _crowd(http2_scripts.bombs), 50, 10),
    "listens": Attack(
        "Listens whose messages nobody reads", with_mail(deaf_calls(_SERVICE + "Listen", 50)), 400, 50, waiting=50
    ),
    "many-listens": Attack(
        "20,000 Listens of one account", with_mail(deaf_calls(_SERVICE + "Listen")), 20_000, 200, waiting=50
    ),
    "wire-listens": Attack(
        "the same over the wire", with_mail(_crowd(wire_scripts.unread_stream)), 400, 20, waiting=1_000
    ),
    "delivers": Attack(
        "Delivers whose answers nobody reads", deaf_calls(_SERVICE + "Deliver", 50), 3_000, 100, waiting=1_000
    ),
    "wire-delivers": Attack("the same over the wire", _crowd(wire_scripts.unread_deliveries), 200, 20, waiting=1_000),
    "health": Attack("health checks whose answers nobody reads", deaf_calls(_HEALTH + "Check", 50), 3_000, 100),
    "watches": Attack("health watches that nobody reads", deaf_calls(_HEALTH + "Watch", 50), 3_000, 100),
    "send-streams": Attack("idle SendMany streams", _crowd(http2_scripts.idle_send_streams), 64, 64),
    "half-frames": Attack("half of a frame", _crowd(wire_scripts.half_frames), 400, 40),
    "slow-frames": Attack("one byte of a frame a second", _crowd(wire_scripts.slow_frames), 400, 40),
    "log-ins": Attack("guesses for one account", _crowd(account_scripts.log_ins_of_one), 64, 8),
    "log-ins-of-many": Attack("guesses for many accounts", _crowd(account_scripts.log_ins_of_many), 64, 8),
    "log-ins-from-many": Attack("guesses from many addresses", _crowd(account_scripts.log_ins_from_many), 64, 8),
    "sign-ups": Attack("sign-ups from one address", _crowd(account_scripts.sign_ups_from_one), 64, 8),
    "sign-ups-from-many": Attack("sign-ups from many addresses", _crowd(account_scripts.sign_ups_from_many), 64, 8),
    "lists": Attack("lists by expensive patterns", _crowd(account_scripts.hostile_lists), 80, 20, accounts=20_000),
    "connections": Attack("idle gRPC connections", _crowd(http2_scripts.connection), 18_000, 600),
    "wire-connections": Attack("idle wire connections", _crowd(wire_scripts.connection), 6_000, 600),
    "handshakes": Attack("TLS handshakes that stall", _crowd(stray_scripts.stalled_handshakes), 300, 40, tls=True),
    "garbage": Attack("random bytes", _crowd(stray_scripts.garbage), 40, 10),
    "proxy-headers": Attack(
        "PROXY headers that never end",
        _crowd(stray_scripts.endless_proxy_headers),
        400,
        40,
        flags=("--proxy-protocol", ATTACKER),
    ),
    "scrapes": Attack("floods the metrics", _crowd(stray_scripts.scrapes), 100, 30, flags=("--metrics", "127.0.0.1:0")),
}
