"""A program that serves a store by the commands that it reads.

Run it by `python -m tests.store.serving_process FILE`.

It has an account, ann, who sends to herself. For each line of its standard input it stores that text and prints
"stored". When the input ends, it closes the store.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from chatbooth_grpc.store.sqlite.sqlite_store import SQLiteStore
from tests.contract.stores import log_in, send_texts, sign_up

ROOT = Path(__file__).parents[2]


class ServingProcess:
    """The running program."""

    def __init__(self, path: Path) -> None:
        command = [sys.executable, "-m", __name__, str(path)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        self.epoch = bytes.fromhex(self._answer())

    def store(self, *texts: str) -> None:
        """Let the program store texts."""
        assert self._process.stdin is not None
        for text in texts:
            print(text, file=self._process.stdin, flush=True)
            assert self._answer() == "stored"

    def close(self) -> str:
        """Let the program close the store, and return its log."""
        return self._process.communicate(timeout=60)[1]

    def kill(self) -> None:
        """End the program as a crash does."""
        self._process.kill()
        self._process.communicate(timeout=60)

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def main(path: Path) -> None:
    with SQLiteStore(path) as store:
        ann = log_in(store, "ann") if store.account("ann") else sign_up(store, "ann")
        print(store.epoch.hex(), flush=True)
        for line in sys.stdin:
            send_texts(store, ann, "ann", line.rstrip("\n"))
            print("stored", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)
