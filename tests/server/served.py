"""A server as a process, in a POSIX session of its own, whose stderr is a file."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import grpc

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc._gen import chatbooth_pb2_grpc as pb_grpc
from tests.acceptance.processes import PASSWORD, environment
from tests.waiting import wait_until

PATIENCE = 60.0


class Served:
    """A server in a POSIX session of its own."""

    def __init__(
        self, folder: Path, *flags: str, start: Sequence[str] = (), stderr: str | None = None, **variables: str
    ) -> None:
        """`start`: the first words of its command. `stderr`: a file that another reads."""
        self._stderr = folder / "stderr"
        module = [sys.executable, "-m", "chatbooth_grpc.server"]
        command = [*start, *module, "--port", "0", "--store", str(folder / "s.db"), *flags]
        with Path(stderr or self._stderr).open("w") as opened:
            self.process = subprocess.Popen(
                command, stderr=opened, env={**environment(), **variables}, start_new_session=True
            )

    @property
    def said(self) -> str:
        """Return the text that it has written on stderr."""
        return self._stderr.read_text()

    def await_banner(self) -> None:
        """Wait until it serves."""
        wait_until(lambda: "listening" in self.said or self.process.poll() is not None, PATIENCE)

    @property
    def address(self) -> str:
        """Return the address at which it serves."""
        found = re.search(r'listening on (\S+),|"address": "([^"]+)"', self.said)
        assert found, self.said
        return found[1] or found[2]

    def answers(self) -> bool:
        """Return whether it serves."""
        with grpc.insecure_channel(self.address) as channel:
            try:
                log_in(channel)
            except grpc.RpcError as error:
                return error.code() is grpc.StatusCode.UNAUTHENTICATED
        return False

    def ends(self) -> bool:
        """Wait until it ends, and return whether that was a drain."""
        return self.process.wait(PATIENCE) == 0 and "info: stopped\n" in self.said

    def kill(self) -> None:
        """Kill it at once."""
        self.process.kill()
        self.process.wait(PATIENCE)


def log_in(channel: grpc.Channel) -> None:
    """Log in to an account that does not exist."""
    request = pb.LogInRequest(username="nobody", password=PASSWORD)
    pb_grpc.ChatServiceStub(channel).LogIn(request, timeout=PATIENCE)
