"""The server as a process: what it prints, how it ends, and what keeps it from starting."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import grpc
import pytest

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc._gen import chatbooth_pb2_grpc as pb_grpc
from chatbooth_grpc.booth.model import Gap, GapReason
from chatbooth_grpc.client.library.chat_client import ChatClient
from tests.acceptance.processes import PASSWORD, ServerProcess, environment
from tests.rpc.running import bearer
from tests.server.served import Served
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0


def run(*flags: str, module: str = "server", cwd: Path = ROOT, **variables: str) -> tuple[int, str]:
    """Run a server or a client that must not start. Return its exit code and its words."""
    done = subprocess.run(
        [sys.executable, "-m", f"chatbooth_grpc.{module}", *flags],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**environment(), **variables},
        timeout=PATIENCE,
        check=False,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_server_greets_serves_and_drains(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "chatbooth_grpc.server", "--port", "0", "--store", str(tmp_path / "s.db")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment()) as process:
        assert process.stderr is not None
        banner = [process.stderr.readline() for _ in range(3)]
        found = re.search(r"listening on (127\.0\.0\.1:\d+), store ", banner[0])
        assert found
        assert f"python -m chatbooth_grpc.client --server {found[1]} signup NAME" in banner[1]
        assert "Ctrl-C" in banner[2]
        with grpc.insecure_channel(found[1]) as channel:
            request = pb.SignUpRequest(username="ann", password="a long password")
            assert pb_grpc.ChatServiceStub(channel).SignUp(request, timeout=PATIENCE).session.username == "ann"
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait(PATIENCE) == 0
    assert "draining" in rest
    assert "stopped" in rest


def test_variables_replace_flags_and_a_repeated_signal_is_harmless(tmp_path: Path) -> None:
    own = {
        "PORT": "0",
        "STORE": str(tmp_path / "s.db"),
        "LOG_FORMAT": "json",
        "DRAIN_GRACE": "2s",
        "LOG_LEVEL": "debug",
    }
    twins = {f"CHATBOOTH_{name}": value for name, value in own.items()}
    command = [sys.executable, "-m", "chatbooth_grpc.server"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**environment(), **twins}) as process:
        assert process.stderr is not None
        assert json.loads(process.stderr.readline())["store"] == str(tmp_path / "s.db")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
        logged = [json.loads(line) for line in process.stderr.read().splitlines()]
        assert process.wait(PATIENCE) == 0
    [draining] = [entry for entry in logged if entry["event"] == "draining"]
    assert draining["grace_seconds"] == 2.0


def test_acknowledged_messages_are_removed_after_the_retention_of_the_flag(tmp_path: Path) -> None:
    server = ServerProcess(tmp_path / "s.db", flags=["--retain", "0"])
    with ChatClient.connect(server.address) as client:
        client.sign_up("ann", PASSWORD)
        for text in ("one", "two"):
            client.send("ann", text)
        client.deliver(acknowledge_through=1)
        wait_until(lambda: client.deliver(after=0).opening.gap == Gap(1, 1, GapReason.RETENTION))
        assert [message.text for message in client.deliver(after=0).messages] == ["two"]
    server.end(signal.SIGTERM)


def test_a_wrong_variable_is_an_error_of_usage() -> None:
    assert run(CHATBOOTH_PORT="http") == (
        2,
        "chatbooth: CHATBOOTH_PORT in the environment: 'http' is not a whole number\n",
    )


def test_kubernetes_variables_and_misspelt_ones_are_each_a_warning(serve: Callable[..., Served]) -> None:
    links = {"CHATBOOTH_PORT": "tcp://10.0.0.1:50051", "CHATBOOTH_SERVICE_HOST": "10.0.0.1"}
    server = serve(**links, CHATBOOTH_STOER="elsewhere.db")
    assert server.answers()
    ignored, misspelt = [line for line in server.said.splitlines() if " warning: " in line and "log-in" not in line]
    assert "warning: CHATBOOTH_PORT in the environment describes a service and is ignored" in ignored
    assert misspelt.endswith("did you mean CHATBOOTH_STORE?")


NO_START = [
    (["--moon"], {}, 2),
    (["--port"], {}, 2),
    (["--port", "http"], {}, 2),
    (["--host", "0.0.0.0"], {}, 2),
    ([], {"CHATBOOTH_INSECURE": "perhaps"}, 2),
    ([], {"CHATBOOTH_LOG_LEVEL": "loud\n"}, 2),
    (["--no-grpc"], {"CHATBOOTH_PRT": "1"}, 2),
    (["--port", "0", "--store", "/dev/null/s.db"], {}, 1),
    (["--port", "0", "--store", "README.md"], {"CHATBOOTH_PRT": "1"}, 1),
]


@pytest.mark.parametrize(("flags", "variables", "code"), NO_START)
def test_the_reason_for_not_starting_is_json_if_that_is_asked_for(flags: list[str], variables: Any, code: int) -> None:
    exited, said = run(*flags, **variables, CHATBOOTH_LOG_FORMAT="json")
    assert run("--log-format", "json", *flags, **variables)[1].count("\n") == said.count("\n")
    *warnings, last = [json.loads(line) for line in said.splitlines()]
    assert (exited, last["exit_code"], last["level"]) == (code, code, "error")
    assert [entry["level"] for entry in warnings] == ["warning"] * ("CHATBOOTH_PRT" in variables and code == 1)
    exited, said = run(*flags, **variables)
    assert (exited, said.splitlines()[-1]) == (code, f"chatbooth: {last['event']}".replace("\n", "\\n"))


def test_every_line_that_a_server_logs_is_json(serve: Callable[..., Served]) -> None:
    flags = ["--wire-port", "0", "--log-format", "json", "--log-level", "debug"]
    server = serve(*flags, CHATBOOTH_PORT="tcp://10.0.0.1:50051", PYTHONWARNINGS="always", PYTHONDEVMODE="1")
    assert server.answers()
    server.process.send_signal(signal.SIGUSR1)
    server.process.send_signal(signal.SIGHUP)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(PATIENCE) == 0
    entries = [json.loads(line) for line in server.said.splitlines()]
    assert all(entry.keys() >= {"time", "level", "logger", "event"} for entry in entries)
    events = [entry["event"] for entry in entries]
    assert events.count("listening") == 2
    assert events[-1] == "stopped"
    assert {"log-in failed", "signal ignored", "draining"} <= {*events}


def test_the_banner_is_printed_at_every_level(serve: Callable[..., Served]) -> None:
    server = serve("--log-format", "json", "--log-level", "error")
    [listening] = [json.loads(line) for line in server.said.splitlines()]
    assert listening["address"] == server.address
    assert (listening["event"], listening["protocol"]) == ("listening", "grpc")


def test_a_stderr_that_nobody_reads_does_not_stop_the_server(tmp_path: Path) -> None:
    flags = ["--port", "0", "--store", str(tmp_path / "s.db"), "--log-format", "json", "--log-level", "debug"]
    command = [sys.executable, "-m", "chatbooth_grpc.server", *flags]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment()) as process:
        assert process.stderr is not None
        address = json.loads(process.stderr.readline())["address"]
        with ChatClient.connect(address) as client:
            client.sign_up("ann", PASSWORD)
            # Each of these is a line, and a pipe holds about three hundred.
            for _ in range(1_000):
                client.deliver()
            said = os.read(process.stderr.fileno(), 1 << 20)
            client.deliver()
        process.send_signal(signal.SIGTERM)
        said += process.stderr.read()
        assert process.wait(PATIENCE) == 0
    events = [json.loads(line) for line in said.splitlines()]
    [lost] = [entry for entry in events if entry["event"] == "log lines were lost, since stderr did not take them"]
    calls = [entry for entry in events if entry["event"] == "call"]
    assert len(calls) + lost["count"] == 1_002
    assert events[-1]["event"] == "stopped"


def test_a_stderr_on_a_full_disk_does_not_stop_the_server(tmp_path: Path) -> None:
    server = Served(tmp_path, stderr="/dev/full")
    try:
        wait_until(Path(tmp_path / "s.db-wal").exists)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(PATIENCE) == 0
    finally:
        server.kill()


def test_a_taken_port_is_reported_in_one_clear_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for flags in (["--port", port], ["--port", "0", "--wire-port", port], ["--no-grpc", "--wire-port", port]):
            code, said = run(*flags, "--store", str(tmp_path / "s.db"))
            assert code == 1
            assert re.fullmatch(rf"chatbooth: cannot listen on 127\.0\.0\.1:{port}: .*\n", said)


def test_a_store_that_cannot_be_opened_is_reported_in_one_clear_line(tmp_path: Path) -> None:
    below_a_file = tmp_path / "file"
    below_a_file.write_text("")
    garbage = tmp_path / "garbage.db"
    garbage.write_bytes(b"no database, by far" * 1_000)
    newer = tmp_path / "newer.db"
    server = ServerProcess(newer)
    assert "in use by another server" in run("--port", "0", "--store", str(newer))[1]
    server.end(signal.SIGTERM)
    connection = apsw.Connection(str(newer))
    connection.pragma("user_version", 99)
    connection.close()
    for path, words in ((below_a_file / "s.db", "not a directory"), (garbage, "not a chatbooth"), (newer, "newer")):
        code, said = run("--port", "0", "--store", str(path))
        assert (code, said.count("\n")) == (1, 1)
        assert words in said
        assert said.startswith("chatbooth: ")


def test_plain_text_off_loopback_needs_a_flag(tmp_path: Path) -> None:
    code, said = run("--host", "0.0.0.0", "--store", str(tmp_path / "s.db"))
    assert code == 2
    assert "--insecure" in said.splitlines()[-1]
    assert not (tmp_path / "s.db").exists()


def test_without_the_generated_code_one_line_says_which_command_to_run(tmp_path: Path) -> None:
    shutil.copytree(
        ROOT / "chatbooth_grpc", tmp_path / "chatbooth_grpc", ignore=shutil.ignore_patterns("_gen", "__pycache__")
    )
    for module, arguments in (("server", ["--port", "0"]), ("client", ["whoami"])):
        code, said = run(*arguments, module=module, cwd=tmp_path, PYTHONPATH=str(tmp_path))
        assert code == 1
        assert said == "chatbooth: the gRPC code is not generated yet; run: scripts/gen_protos.sh\n"
    _, said = run("--log-format", "json", cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert json.loads(said)["event"] == "the gRPC code is not generated yet; run: scripts/gen_protos.sh"


def test_acknowledged_messages_survive_a_kill(tmp_path: Path) -> None:
    store = tmp_path / "s.db"
    server = ServerProcess(store)
    acknowledged = []
    with grpc.insecure_channel(server.address) as channel:
        stub = pb_grpc.ChatServiceStub(channel)
        request = pb.SignUpRequest(username="ann", password="a long password")
        session = stub.SignUp(request, timeout=PATIENCE).session
        for number in range(50):
            message = pb.SendRequest(recipient="ann", message_id=os.urandom(16), text=str(number))
            stub.Send(message, metadata=bearer(session), timeout=PATIENCE)
            acknowledged.append(message)
    server.end(signal.SIGKILL)
    again = ServerProcess(store)
    with grpc.insecure_channel(again.address) as channel:
        stub = pb_grpc.ChatServiceStub(channel)
        # This repeats a message across the crash.
        stub.Send(acknowledged[7], metadata=bearer(session), timeout=PATIENCE)
        delivered = stub.Deliver(pb.DeliverRequest(), metadata=bearer(session), timeout=PATIENCE).messages
    assert [message.text for message in delivered] == [str(number) for number in range(50)]
    again.end(signal.SIGTERM)
