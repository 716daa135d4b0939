"""--metrics, over a server process: what a scrape shows after calls, and what is said when it cannot be."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from tests.metrics.test_endpoint import get
from tests.server.served import Served, log_in
from tests.waiting import wait_until

Serve = Callable[..., Served]


def page_of(server: Served) -> str:
    """Return the page of a server's metrics."""
    found = re.search(r"metrics url=http://(\S+)/metrics", server.said)
    assert found, server.said
    return get(found[1])[2]


def test_a_scrape_shows_the_calls_and_the_state_of_the_server(serve: Serve) -> None:
    server = serve("--metrics", "127.0.0.1:0", "--wire-port", "0")
    with grpc.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.RpcError):
            log_in(channel)
        wait_until(lambda: 'chatbooth_connections{wire="grpc"} 1.0' in page_of(server))
        page = page_of(server)
        assert 'chatbooth_requests_total{action="LOG_IN",code="WRONG_CREDENTIALS",wire="grpc"} 1.0' in page
    assert 'chatbooth_connections{wire="wire"} 0.0' in page
    assert "\nchatbooth_store_available 1.0\n" in page
    assert "\nchatbooth_last_backup_timestamp_seconds 0.0\n" in page
    assert "chatbooth_certificate_expiry" not in re.sub(r"^#.*", "", page, flags=re.MULTILINE)
    wait_until(lambda: "\nchatbooth_unacknowledged_messages 0.0\n" in page_of(server))
    server.process.terminate()
    assert server.ends()


def test_without_the_flag_nothing_is_counted_and_the_library_is_not_loaded(serve: Serve) -> None:
    server = serve(start=(), PYTHONPROFILEIMPORTTIME="1")
    assert "grpc._cython" in server.said
    assert "prometheus_client" not in server.said
    assert "chatbooth_grpc.metrics" not in server.said


def test_a_missing_library_is_named(tmp_path: Path, serve: Serve) -> None:
    (tmp_path / "prometheus_client.py").write_text("raise ImportError")
    server = serve("--metrics", "127.0.0.1:0", PYTHONPATH=str(tmp_path))
    assert server.process.wait(60) == 1
    assert "--metrics needs the package prometheus-client" in server.said
    assert "pip install '.[metrics]' in a clone" in server.said
