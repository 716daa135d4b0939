"""A chatbooth server in its own process, with both wires, and its use of resources."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

from chatbooth_grpc.client.library.security import DEFAULT_SECURITY, Security

_TICKS = os.sysconf("SC_CLK_TCK")
_START_LIMIT = 30.0
_STOP_LIMIT = 30.0
# The value that proc(5) documents for this.
_FORGET_PEAK = "5"


class ServerProcess:
    """`python -m chatbooth_grpc.server` on free ports with its own store. It is stopped at the end of the block."""

    def __init__(
        self, *flags: str, module: str = "chatbooth_grpc.server", store: Path | None = None, in_place: bool = False
    ) -> None:
        """`module` runs the server, perhaps with a change. The server begins with a copy of the file `store`.

        With `in_place`, it begins with that file itself.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="chatbooth-bench-")
        folder = Path(self._folder.name)
        path = store if store is not None and in_place else folder / "store.db"
        if store is not None and not in_place:
            shutil.copy(store, path)
        self._log = log = folder / "log"
        command = [sys.executable, "-m", module, "--port", "0", "--wire-port", "0"]
        with log.open("w") as stderr:
            # A few accounts send and listen as much as the machine can.
            unlimited = ["--sends-per-account", "0", "--max-listeners-per-account", "100000"]
            self._process = subprocess.Popen([*command, "--store", str(path), *unlimited, *flags], stderr=stderr)
        deadline = time.monotonic() + _START_LIMIT
        # This is the greeting's last line.
        while "stop:" not in log.read_text():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start: {log.read_text()}")
            time.sleep(0.02)
        found = re.findall(r"listening on (\S+),", log.read_text())
        fingerprint = re.search(r"TLS certificate: (\S+)", log.read_text()) if "--tls" in flags else None
        self.security = Security(trust=fingerprint[1]) if fingerprint else DEFAULT_SECURITY
        self.grpc = f"grpc+tls://{found[0]}" if fingerprint else found[0]
        self.wire = f"wire+tls://{found[1]}" if fingerprint else f"wire://{found[1]}"

    def logged(self, pattern: str) -> str:
        """Return what the only group of a regular expression finds in the log, or an empty text."""
        found = re.search(pattern, self._log.read_text())
        return found[1] if found else ""

    def stop(self) -> int:
        """Stop the server as a supervisor does. Return its exit code."""
        self._process.terminate()
        return self._process.wait(_STOP_LIMIT)

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    def cpu_seconds(self) -> float:
        """The CPU time used so far, including time in the kernel."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def resident_bytes(self) -> int:
        """The memory that the process holds now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def peak_resident_bytes(self) -> int:
        """The most memory that the process held since the last call of this, as the kernel counts it."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        Path(f"/proc/{self.pid}/clear_refs").write_text(_FORGET_PEAK)
        return int(status.partition("VmHWM:")[2].split()[0]) << 10

    def threads(self) -> int:
        """The number of threads alive now."""
        return sum(1 for _ in Path(f"/proc/{self.pid}/task").iterdir())

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._folder.cleanup()
