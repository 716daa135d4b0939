"""Real processes: servers to start, kill and stop, and the command line."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.held_ports import hold_ports
from tests.waiting import wait_until

PASSWORD = "a long password"
CLIENT = [sys.executable, "-m", "chatbooth_grpc.client"]
_PATIENCE = 60.0
_BANNER = re.compile(r"listening on (\S+:\d+)")


class ServerProcess:
    """A server on a free port of this machine, or on `port`, and the store in `store`."""

    def __init__(self, store: Path, port: int = 0, flags: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chatbooth_grpc.server", "--port", str(port), "--store", str(store), *flags],
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        try:
            self.address = self._await_banner()
            self.addresses = {"grpc": self.address}
            if "--wire-port" in flags and "--no-grpc" not in flags:
                self.addresses["wire"] = f"wire://{self._await_banner()}"
        except BaseException:
            # No test has this server, so none would end it.
            self._process.kill()
            self._process.wait(_PATIENCE)
            if self._process.stderr:
                self._process.stderr.close()
            raise
        # A server whose pipe is full would stop.
        self._drain = threading.Thread(target=self._read_on, daemon=True)
        self._drain.start()

    @property
    def port(self) -> int:
        """Return the port on which it listens."""
        return int(self.address.rpartition(":")[2])

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to it."""
        self._process.send_signal(number)

    def freeze(self) -> None:
        """Stop it, like a machine that hangs, and wait until it has stopped."""
        self._process.send_signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self._process.pid}/stat")
        wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")

    def end(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it by a signal, and wait for its end."""
        self._process.send_signal(number)
        self._process.wait(_PATIENCE)
        hold_ports(self.addresses.values())
        self._drain.join(_PATIENCE)
        if self._process.stderr:
            self._process.stderr.close()

    def _await_banner(self) -> str:
        assert self._process.stderr is not None
        said = []
        for line in self._process.stderr:
            said.append(line)
            if found := _BANNER.search(line):
                return found[1]
        raise AssertionError(f"the server did not start: {''.join(said)}")

    def _read_on(self) -> None:
        assert self._process.stderr is not None
        for _ in self._process.stderr:
            pass


@dataclass
class Done:
    """The results of a command that has ended."""

    code: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        """Return the JSON objects that it printed."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass
class CommandLine:
    """The command line of one machine: its state directory, and the server that it calls."""

    server: str
    state: Path
    variables: dict[str, str] = field(default_factory=lambda: {"CHATBOOTH_PASSWORD": PASSWORD})

    def __call__(self, *words: str, typed: str | bytes = b"", **variables: str) -> Done:
        """Run a command to its end, with `typed` on its standard input and without a terminal."""
        done = subprocess.run(
            [*CLIENT, *words],
            input=typed.encode() if isinstance(typed, str) else typed,
            capture_output=True,
            env=self.environment(**variables),
            timeout=_PATIENCE,
            start_new_session=True,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def redirected(self, redirection: str, *words: str, **variables: str) -> Done:
        """Run a command whose streams a shell redirects, as `2>&-` does."""
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {redirection}', "sh", *CLIENT, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=self.environment(**variables),
            timeout=_PATIENCE,
            start_new_session=True,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Start a command whose streams the test holds."""
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*CLIENT, *words], stdin=pipe, stdout=pipe, stderr=pipe, env=self.environment(), start_new_session=True
        )

    def environment(self, **variables: str) -> dict[str, str]:
        """Return the environment of a command."""
        own = {"XDG_STATE_HOME": str(self.state), "CHATBOOTH_SERVER": self.server}
        return {**environment(), **own, **self.variables, **variables}


def environment() -> dict[str, str]:
    """Return this process's environment without the variables that chatbooth reads."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CHATBOOTH_")}
