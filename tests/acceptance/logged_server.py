"""A server on both wires, whose log can be read."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.acceptance.held_ports import hold_ports
from tests.acceptance.processes import environment
from tests.waiting import wait_until

PATIENCE = 60.0


class LoggedServer:
    """A server on both wires, whose log can be read."""

    def __init__(self, store: Path, *flags: str) -> None:
        """The log lies beside the folder of the store. Each server begins a new one."""
        self._log = store.parent.with_name("server.log")
        command = [sys.executable, "-m", "chatbooth_grpc.server", "--port", "0", "--wire-port", "0", *flags]
        with self._log.open("w") as stderr:
            self.process = subprocess.Popen([*command, "--store", str(store)], stderr=stderr, env=environment())
        try:
            wait_until(lambda: len(self._addresses()) == 2 or self.process.poll() is not None)
            assert len(self._addresses()) == 2, self._log.read_text()
        except BaseException:
            # No test has this server, so none would end it.
            self.process.kill()
            self.process.wait(PATIENCE)
            raise
        self.grpc, wire = self._addresses()
        self.addresses = {"grpc": self.grpc, "wire": f"wire://{wire}"}

    def _addresses(self) -> list[str]:
        """Return the addresses that the log names so far, whether it is text or JSON."""
        return re.findall(r'(?:listening on |"event": "listening".*?"address": ")([^\s,"]+)[,"]', self._log.read_text())

    @property
    def ports(self) -> list[str]:
        """Return the flags by which the next server gets the same addresses."""
        grpc_port, wire_port = (self.addresses[wire].rpartition(":")[2] for wire in ("grpc", "wire"))
        return ["--port", grpc_port, "--wire-port", wire_port]

    def lines(self, words: str) -> int:
        """Return how often some words are in the log."""
        return self._log.read_text().count(words)

    def end(self, number: signal.Signals) -> None:
        """End it by a signal."""
        self.process.send_signal(number)
        self.process.wait(PATIENCE)
        hold_ports(self.addresses.values())
