"""A server whose sockets and threads are counted, and clients that listen to it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from chatbooth_grpc.booth.model import Session
from chatbooth_grpc.client.library.chat_client import ChatClient
from chatbooth_grpc.client.library.security import Security
from tests.acceptance.logged_server import LoggedServer
from tests.acceptance.processes import PASSWORD, environment
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
PATIENCE = 40.0


class WatchedServer(LoggedServer):
    """A server on both wires whose sockets, threads and memory a test can count."""

    def __init__(self, folder: Path, *flags: str) -> None:
        """The store has a folder of its own inside `folder`, and the log lies beside it."""
        store = folder / "store" / "store.db"
        store.parent.mkdir(exist_ok=True)
        super().__init__(store, *flags)
        self.idle_sockets = self.sockets()

    def sockets(self) -> int:
        """Return how many sockets it holds."""
        found = 0
        for link in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found += str(link.readlink()).startswith("socket:")
        return found

    def freeze(self) -> None:
        """Stop it, like a machine that hangs, and wait until it has stopped."""
        self.process.send_signal(signal.SIGSTOP)
        stat = Path(f"/proc/{self.process.pid}/stat")
        wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")

    def threads(self) -> int:
        """Return how many threads it has."""
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))

    def resident_bytes(self) -> int:
        """Return how much memory it holds."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> None:
        """End it by a drain, also if it was frozen."""
        self.process.send_signal(signal.SIGCONT)
        self.end(signal.SIGTERM)
        assert self.process.returncode == 0


def signed_up(address: str, name: str = "ann") -> Session:
    """Make an account, on a connection that is closed afterwards."""
    with ChatClient.connect(address, security=Security(insecure=True)) as client:
        return client.sign_up(name, PASSWORD)


@contextlib.contextmanager
def listening(address: str, session: Session, *prefix: str, crowd: int = 0) -> Iterator[subprocess.Popen[str]]:
    """Run a client that listens, until its stream has opened, or a crowd of them in one process."""
    module = "crowd_process" if crowd else "listening_process"
    command = [*prefix, sys.executable, "-m", f"tests.acceptance.{module}", address, session.token.hex()]
    command += [str(crowd)] if crowd else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment()) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "opened\n"
            yield process
        finally:
            process.kill()
