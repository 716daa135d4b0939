"""Sampling: by the client's trace where there is one, within a limit, and by chance elsewhere."""

from __future__ import annotations

import pytest

from chatbooth_grpc.booth.call_log import Call
from chatbooth_grpc.tracing.sampling import FROM_CLIENTS, HEADER, Sampler, parent_of
from tests.seconds import Seconds

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, NOT_SAMPLED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"


def call(header: str | None = None) -> Call:
    """Return a call whose client sent a header."""
    return Call("SEND", lambda: "", "grpc", header=lambda name: header if name == HEADER else None)


def test_a_ratio_of_1_chooses_all_and_one_of_0_none() -> None:
    for count in (1, 3):
        assert [*Sampler(1).choose(call(), count)[1]] == [*range(count)]
        assert [*Sampler(0).choose(call(), count)[1]] == []


def test_a_ratio_chooses_about_that_part() -> None:
    _, chosen = Sampler(0.1).choose(call(), 100_000)
    assert 9_000 < len(chosen) < 11_000
    alone = [len(Sampler(0.1).choose(call())[1]) for _ in range(20_000)]
    assert 1_500 < sum(alone) < 2_500


def test_the_trace_of_the_client_decides() -> None:
    parent, chosen = Sampler(0).choose(call(SAMPLED), 2)
    assert parent is not None
    assert (f"{parent.trace_id:032x}", f"{parent.span_id:016x}") == (TRACE, SPAN)
    assert list(chosen) == [0, 1]
    assert list(Sampler(1).choose(call(NOT_SAMPLED))[1]) == []


def test_clients_that_ask_for_traces_get_a_limited_number_of_them() -> None:
    clock = Seconds()
    sampler = Sampler(0, clock)
    chosen = [len(sampler.choose(call(SAMPLED))[1]) for _ in range(10 * FROM_CLIENTS.burst)]
    assert sum(chosen) == FROM_CLIENTS.burst
    clock.now += 1
    assert list(sampler.choose(call(SAMPLED))[1]) == [0]


def test_a_client_that_asks_for_the_trace_of_a_large_batch_gets_that_of_its_first_messages() -> None:
    parent, chosen = Sampler(0).choose(call(SAMPLED), 1_000)
    assert parent is not None
    assert [*chosen] == [*range(FROM_CLIENTS.burst)]


@pytest.mark.parametrize(
    "header",
    ["", "x", "00", f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", SAMPLED + "x"],
)
def test_a_malformed_header_counts_as_none(header: str) -> None:
    assert parent_of(header) is None
    assert Sampler(1).choose(call(header)) == (None, (0,))
