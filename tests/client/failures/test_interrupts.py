"""Interrupts: raised once, held where needed, enforced if the main thread cannot act."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from chatbooth_grpc.client.failures.interrupts import ENDING, Interrupted, Interrupts

PATIENCE = 30.0


def run(program: str, *numbers: int) -> tuple[int, str]:
    """Run a program up to the line that it prints, send it signals, and return its exit code and its other lines."""
    head = (
        "import os, signal, sys, time\nfrom chatbooth_grpc.client.failures.interrupts import Interrupted, Interrupts\n"
    )
    process = subprocess.Popen([sys.executable, "-c", head + program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    for number in numbers:
        process.send_signal(number)
    out, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, out


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_is_raised_with_its_exit_code(number: signal.Signals) -> None:
    program = """
interrupts = Interrupts().__enter__()
try:
    print("ready", flush=True); time.sleep(60)
except Interrupted as interrupt:
    print("said", flush=True); sys.exit(interrupt.exit_code)
"""
    assert run(program, number) == (128 + number, "said\n")


def test_a_second_signal_does_not_cut_off_the_last_words() -> None:
    program = """
interrupts = Interrupts().__enter__()
try:
    print("ready", flush=True); time.sleep(60)
except Interrupted as interrupt:
    for _ in range(5):
        os.kill(os.getpid(), signal.SIGINT)
    print("said", flush=True); sys.exit(interrupt.exit_code)
"""
    assert run(program, signal.SIGTERM) == (143, "said\n")


def test_a_process_whose_main_thread_does_not_respond_is_ended() -> None:
    program = """
import ctypes
library, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(256)
library.pthread_mutex_lock(mutex)
interrupts = Interrupts().__enter__()
try:
    print("ready", flush=True); time.sleep(60)
finally:
    # No signal ends this wait, and no handler of Python runs during it.
    library.pthread_mutex_lock(mutex)
"""
    code, out = run(program, signal.SIGINT)
    assert (code, out) == (130, "")


def test_an_ignored_signal_stays_ignored() -> None:
    program = """
signal.signal(signal.SIGHUP, signal.SIG_IGN)
interrupts = Interrupts().__enter__()
try:
    print("ready", flush=True); time.sleep(60)
except Interrupted as interrupt:
    sys.exit(interrupt.exit_code)
"""
    assert run(program, signal.SIGHUP, signal.SIGTERM) == (143, "")


def test_a_held_signal_is_raised_at_the_end_of_the_block() -> None:
    interrupts = Interrupts()
    done = []
    with pytest.raises(Interrupted), interrupts.held():  # noqa: PT012  # the block must be seen to go on
        interrupts._arrived(signal.SIGINT, None)
        with interrupts.held():
            done.append("inner")
        done.append("outer")
    assert done == ["inner", "outer"]


def test_a_held_signal_does_not_replace_an_error_of_the_block() -> None:
    interrupts = Interrupts()
    with pytest.raises(LookupError), interrupts.held():  # noqa: PT012
        interrupts._arrived(signal.SIGINT, None)
        raise LookupError


def test_the_process_waits_until_held_words_are_written() -> None:
    program = """
interrupts = Interrupts().__enter__()
try:
    with interrupts.held():
        print("ready", flush=True)
        end = time.monotonic() + 2.0  # longer than the grace
        while time.monotonic() < end:
            time.sleep(0.01)
        print("said", flush=True)
except Interrupted as interrupt:
    os._exit(interrupt.exit_code)
"""
    assert run(program, signal.SIGINT) == (130, "said\n")


def test_the_process_does_not_wait_for_words_that_nobody_reads() -> None:
    program = """
interrupts = Interrupts().__enter__()
with interrupts.held(may_block=True):
    print("ready", flush=True); time.sleep(60)
    print("said", flush=True)
"""
    assert run(program, signal.SIGINT) == (130, "")


def test_the_former_handlers_are_restored() -> None:
    before = {number: signal.getsignal(number) for number in ENDING}
    with Interrupts():
        assert signal.getsignal(signal.SIGTERM) != before[signal.SIGTERM]
    assert {number: signal.getsignal(number) for number in ENDING} == before
    assert signal.set_wakeup_fd(-1) == -1
