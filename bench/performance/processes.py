"""The processes of a measurement: servers, and a process for each load."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class PlainServer:
    """A server that prints its address: `python -m MODULE`. It is stopped at the end of the block."""

    def __init__(self, module: str, *flags: str) -> None:
        command = [sys.executable, "-m", module, *flags]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None  # noqa: S101  # a pipe was asked for
        self.address = self._process.stdout.readline().strip().removeprefix("listening on ")
        if not self.address:
            raise RuntimeError(f"{module} did not start")

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    def __enter__(self) -> PlainServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate(timeout=30)


def in_own_process(load: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """Call a load in a fresh process, which does nothing else, and return the result."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(load, *arguments, **options).result()


def busy_cores(seconds: float = 1.0) -> float:
    """Return how many cores are busy while this process does nothing. Other processes take these from a measurement."""
    before = _busy_seconds()
    time.sleep(seconds)
    return (_busy_seconds() - before) / seconds


def _busy_seconds() -> float:
    """Return the seconds that all cores together worked, or could not work because of the machine's other guests."""
    user, nice, system, _idle, _waiting, *interrupts = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    return sum(map(int, (user, nice, system, *interrupts))) / os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used so far, including ended threads and the kernel. Linux only."""
    return time.clock_gettime((~pid << 3) | 2)
