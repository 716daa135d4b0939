"""python -m bench.pool: the best --threads, on this disk and on one with a slow fsync."""

from __future__ import annotations

import argparse
import os
import sys

from bench.loaded import Load, closed_loop
from bench.server_process import ServerProcess
from bench.slow_disk import VARIABLE

THREADS = (1, 2, 4, 8, 16, 32, 64)
CLIENTS = (1, 8, 64)


def main() -> int:
    """Measure durable unary sends for each pool size. Print rates, their ratio to the default's, and latencies."""
    parser = argparse.ArgumentParser(prog="python -m bench.pool", description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each load (default: %(default)s)")
    parsed = parser.parse_args()
    for milliseconds in ("0", "5"):
        os.environ[VARIABLE] = milliseconds
        print(f"\nfsync + {milliseconds} ms\n\n| threads | {' | '.join(f'{count} clients' for count in CLIENTS)} |")
        print(f"|--:|{'--:|' * len(CLIENTS)}", flush=True)
        for threads in THREADS:
            cells = [_cell(_measure(threads, clients, parsed.seconds)) for clients in CLIENTS]
            print(f"| {threads} | {' | '.join(cells)} |", flush=True)
    return 0


def _measure(threads: int, clients: int, seconds: float) -> Load:
    with ServerProcess("--threads", str(threads), module="bench.slow_disk") as server:
        return closed_loop(server, server.grpc, clients, seconds)


def _cell(load: Load) -> str:
    return f"{load.rate:,.0f}/s, p50 {load.p50:.1f} ms, CPU {load.server_cpu:.0f} ms/1,000"


if __name__ == "__main__":
    sys.exit(main())
