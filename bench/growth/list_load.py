"""First pages of usernames by prefix, one call after another."""

from __future__ import annotations

import time

from bench.performance.lone_calls import LoneCalls
from bench.performance.outcome import Duration, Outcome, Tally
from chatbooth_grpc._gen import chatbooth_pb2 as pb

LIST = "/chatbooth.v1.ChatService/List"
PAGE_SIZE = 100


def list_load(address: str, server_pid: int, duration: Duration, *, token: bytes, prefix: str) -> Outcome:
    """Ask for the same first page for a time. Raises RuntimeError if it is not full."""
    calls = LoneCalls(address, LIST, token)
    request = pb.ListRequest(prefix=prefix, page_size=PAGE_SIZE).SerializeToString()
    tally = Tally(server_pid, duration)
    while not tally.is_over():
        began = time.perf_counter()
        response = calls.call(request)
        tally.add([time.perf_counter() - began])
        found = len(pb.ListResponse.FromString(response).usernames)
        if found != PAGE_SIZE:
            raise RuntimeError(f"a page of {PAGE_SIZE} had {found} names")
    return tally.finish()
