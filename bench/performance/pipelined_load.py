"""A load of pipelined durable sends over one wire connection."""

from __future__ import annotations

import math
from dataclasses import replace

from bench.performance.outcome import Duration, Outcome, Tally
from bench.performance.raw_wire import WireConnection, sends

# This is more than the server reads at once.
IN_FLIGHT = 4_096


def pipelined_load(
    address: str, server_pid: int, duration: Duration, *, token: bytes, recipient: str, most: float = math.inf
) -> Outcome:
    """Keep requests in flight for a time, or until `most` were sent. Each reply lets another request leave."""
    requests = sends(recipient, token)
    connection = WireConnection(address)
    tally = Tally(server_pid, duration)
    sent = replied = 0
    more = IN_FLIGHT
    while not tally.is_over() and sent < most:
        more = int(min(more, most - sent))
        connection.send(requests.take(more))
        sent += more
        more = len(connection.receive())
        replied += more
        tally.count += more
    outcome = tally.finish()
    while replied < sent:
        replied += len(connection.receive())
    connection.close()
    return replace(outcome, sent=sent)
