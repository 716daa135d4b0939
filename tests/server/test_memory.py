"""What a server's process is told about its memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Each thread leaves behind what it allocated in a heap of its own, if it has one.
_GROWING = """
import ctypes, sys, threading
from chatbooth_grpc.server.memory import tune_memory
if sys.argv[1] == "tuned":
    tune_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
barrier = threading.Barrier(16)
addresses = []
def work():
    barrier.wait()
    addresses.append(libc.malloc(1000))
    barrier.wait()
threads = [threading.Thread(target=work) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(len({address >> 26 for address in addresses}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_threads_share_few_heaps() -> None:
    def heaps(how: str) -> int:
        """The 64 MiB areas, as glibc's heaps are aligned, in which threads at the same time are given memory."""
        run = subprocess.run([sys.executable, "-c", _GROWING, how], capture_output=True, text=True, check=True)
        return int(run.stdout)

    assert heaps("tuned") <= 4
    assert heaps("plain") > heaps("tuned")


def test_garbage_is_searched_for_after_many_objects() -> None:
    code = "import gc; from chatbooth_grpc.server.memory import tune_memory as t; t(); print(gc.get_threshold()[0])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) == 10_000
