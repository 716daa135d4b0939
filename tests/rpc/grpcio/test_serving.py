"""The installed grpcio decides how calls are served. The log says if it is unexpected."""

from __future__ import annotations

import logging
import subprocess
import sys

import grpc
import pytest

from chatbooth_grpc.live.unread import Unread
from chatbooth_grpc.rpc.grpcio.incomplete_calls import IncompleteCalls
from chatbooth_grpc.rpc.grpcio.plain_calls import PlainCalls
from chatbooth_grpc.rpc.grpcio.pooled_calls import PooledCalls
from chatbooth_grpc.rpc.grpcio.serving import calls_for
from tests.rpc.another_grpcio import MISSING, another_grpcio


def test_the_expected_grpcio_serves_without_a_thread_for_each_call(caplog: pytest.LogCaptureFixture) -> None:
    assert isinstance(calls_for(answers=Unread(), pushes=Unread(), incomplete=IncompleteCalls(9, hash)), PooledCalls)
    assert not caplog.records


def test_another_grpcio_serves_by_its_public_functions_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with another_grpcio():
        assert isinstance(calls_for(answers=Unread(), pushes=Unread(), incomplete=IncompleteCalls(9, hash)), PlainCalls)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert (vars(record)["grpcio"], vars(record)["different"]) == (grpc.__version__, MISSING)


def test_serving_another_grpcio_loads_no_module_that_uses_private_names() -> None:
    script = (
        "import sys\n"
        "from chatbooth_grpc.rpc.grpcio import plain_calls, serving\n"
        "print(*(name.rpartition('.')[2] for name in sys.modules if name.startswith('chatbooth_grpc.rpc.grpcio.')))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "plain_calls" in done.stdout.split()
    assert not {"call_pool", "pooled_calls", "pushing", "stream_call"} & set(done.stdout.split())
