"""The listener for scrapes: its page, its formats, and clients that misbehave."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from chatbooth_grpc.addresses import ListenError, look_up
from chatbooth_grpc.metrics.endpoint import SCRAPES_AT_ONCE, MetricsEndpoint
from chatbooth_grpc.metrics.exposition import registry_of
from chatbooth_grpc.metrics.tally import Tally
from tests.metrics.test_exposition import gauges_of
from tests.waiting import wait_until

PATIENCE = 30.0


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """The address of a listener."""
    endpoint = MetricsEndpoint(look_up("127.0.0.1"), 0, registry_of(Tally(), gauges_of(tmp_path)))
    yield endpoint.start()
    endpoint.stop()


def get(address: str, path: str = "/metrics", **headers: str) -> tuple[int, str, str]:
    """Return the status, the type and the text of an answer."""
    request = urllib.request.Request(f"http://{address}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with closing(error):
            return error.code, error.headers["Content-Type"], error.read().decode()


def connect(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), PATIENCE)


def test_the_metrics_are_at_their_path_alone(address: str) -> None:
    status, kind, text = get(address)
    assert (status, kind.partition(";")[0]) == (200, "text/plain")
    assert "\nchatbooth_queue_depth 3.0\n" in text
    assert get(address, "/metrics?x=1")[0] == 200
    status, _, text = get(address, "/")
    assert (status, "The metrics are at /metrics" in text) == (404, True)


def test_prometheus_gets_the_format_that_it_asks_for(address: str) -> None:
    _, kind, text = get(address, Accept="application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


def test_the_listener_tells_nothing_about_python(address: str) -> None:
    with closing(connect(address)) as client:
        client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        with client.makefile("rb") as answer:
            head = answer.read().partition(b"\r\n\r\n")[0]
    assert b"Server: chatbooth" in head
    assert b"Python" not in head


def test_clients_that_say_nothing_keep_no_more_than_a_few_threads(address: str) -> None:
    with ExitStack() as held:
        silent = [held.enter_context(connect(address)) for _ in range(SCRAPES_AT_ONCE)]
        # The further one is closed at once, without an answer.
        with closing(connect(address)) as further:
            assert further.recv(1) == b""
        for each in silent:
            each.close()
        wait_until(lambda: _answers(address))


def _answers(address: str) -> bool:
    try:
        return get(address)[0] == 200
    except OSError:
        return False


def test_a_port_that_is_taken_is_said_in_words(tmp_path: Path, address: str) -> None:
    port = int(address.rpartition(":")[2])
    other = MetricsEndpoint(look_up("127.0.0.1"), port, registry_of(Tally(), gauges_of(tmp_path)))
    with pytest.raises(ListenError, match="the port is taken"):
        other.start()
