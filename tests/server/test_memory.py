"""The memory of a server's process: its settings, and that memory is freed after a burst."""

from __future__ import annotations

import subprocess
import sys

import pytest

from chatbooth_grpc.server.memory import MemoryReturner

MIB = 1 << 20

# Each thread leaves what it allocated in a heap of its own, if it has one.
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
        """Return the 64 MiB areas, aligned as glibc's heaps, from which threads got memory at the same time."""
        run = subprocess.run([sys.executable, "-c", _GROWING, how], capture_output=True, text=True, check=True)
        return int(run.stdout)

    assert heaps("tuned") <= 4
    assert heaps("plain") > heaps("tuned")


def test_garbage_is_collected_after_many_objects() -> None:
    code = "import gc; from chatbooth_grpc.server.memory import tune_memory as t; t(); print(gc.get_threshold()[0])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) == 10_000


# A burst of log-ins: blocks of 19 MiB on several threads at once, followed by a pause.
_BURSTING = """
import ctypes, sys, threading, time
from chatbooth_grpc.server import memory
memory.LOOK_INTERVAL = 0.05
if sys.argv[1] == "returning":
    memory.tune_memory()
    memory.return_memory()
from argon2 import PasswordHasher
hasher = PasswordHasher(time_cost=1, memory_cost=19_456, parallelism=1)
before = memory._resident_size()
barrier = threading.Barrier(6)
def work():
    for _ in range(3):
        barrier.wait()
        hasher.hash("a long password")
threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads: thread.start()
for thread in threads: thread.join()
least = memory._resident_size()
deadline = time.monotonic() + float(sys.argv[2])
while time.monotonic() < deadline and least - before > 10 << 20:
    time.sleep(0.05)
    least = min(least, memory._resident_size())
print((least - before) >> 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_memory_of_a_burst_of_log_ins_is_freed_after_it() -> None:
    def kept(how: str, seconds: str) -> int:
        """Return how many MiB the process holds more than before the burst."""
        command = [sys.executable, "-c", _BURSTING, how, seconds]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert kept("returning", "30") <= 10
    assert kept("plain", "0.5") > 20


class Process:
    """A process whose memory and work the test sets. `spare` is the memory that it can free."""

    def __init__(self) -> None:
        self.used = 50 * MIB
        self.spare = 0
        self.times = 0
        self.worked = 0.0
        self.returner = MemoryReturner(lambda: self.used + self.spare, self.give_back, lambda: self.worked)
        for _ in range(3):
            self.returner.look()
        # The first call frees what starting needed.
        assert self.times == 1

    def give_back(self) -> None:
        self.spare = 0
        self.times += 1


def test_memory_is_freed_once_a_burst_is_over_and_not_while_it_grows() -> None:
    process = Process()
    for _ in range(5):
        process.spare += 20 * MIB
        process.returner.look()
    assert process.times == 1
    process.returner.look()
    assert (process.times, process.spare) == (2, 0)


def test_memory_that_was_in_use_at_the_first_attempt_is_freed_after_the_work() -> None:
    process = Process()
    process.used += 60 * MIB
    for _ in range(15):
        process.worked += 5.0
        process.returner.look()
    # A busy process frees memory once a minute.
    assert process.times == 2
    process.used, process.spare = process.used - 60 * MIB, 60 * MIB
    for _ in range(5):
        process.returner.look()
    assert (process.times, process.spare) == (3, 0)


def test_the_process_does_not_try_again_and_again_to_free_memory_that_stays_in_use() -> None:
    process = Process()
    process.used += 100 * MIB
    for _ in range(10):
        process.returner.look()
    assert process.times == 2
