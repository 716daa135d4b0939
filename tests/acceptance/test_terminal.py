"""The command line at a terminal: hidden passwords, questions, the menu, Ctrl-C, Ctrl-D."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import termios

import pexpect
import pytest

from tests.acceptance.processes import CLIENT, PASSWORD, CommandLine
from tests.acceptance.terminals import Terminal, answer, code, secret

pytestmark = pytest.mark.filterwarnings(
    # The child of pexpect becomes another program at once.
    "ignore:.*multi-threaded, use of forkpty:DeprecationWarning"
)


def test_a_new_password_is_asked_for_twice_and_never_echoed(terminal: Terminal, name: str) -> None:
    child = terminal("signup", name)
    secret(child, f"Password for {name}: ", PASSWORD)
    secret(child, "The same again: ", PASSWORD)
    child.expect_exact(f"Signed up as {name}")
    assert code(child) == 0
    child = terminal("passwd")
    secret(child, f"Password of {name}: ", PASSWORD)
    secret(child, f"New password for {name}: ", "another password")
    secret(child, "The same again: ", "another password")
    child.expect(r"is changed\. Other sessions ended: 0\.")
    assert PASSWORD not in str(child.before)
    assert code(child) == 0
    child = terminal("login")
    answer(child, "Username: ", name)
    secret(child, f"Password of {name}: ", "another password")
    child.expect_exact(f"Logged in as {name}")
    assert code(child) == 0


def test_two_different_passwords_change_nothing(terminal: Terminal, name: str) -> None:
    child = terminal("signup", name)
    secret(child, f"Password for {name}: ", PASSWORD)
    secret(child, "The same again: ", "a typo")
    child.expect_exact("The two passwords differ")
    assert code(child) == 2


def test_deleting_asks_for_confirmation(terminal: Terminal, chatbooth: CommandLine, name: str) -> None:
    chatbooth("signup", name, CHATBOOTH_PASSWORD=PASSWORD)
    child = terminal("delete")
    answer(child, "[y/N] ", "")
    child.expect_exact("Nothing was deleted.")
    assert code(child) == 2
    child = terminal("delete")
    answer(child, "[y/N] ", "y")
    secret(child, f"Password of {name}: ", PASSWORD)
    child.expect_exact(f"Deleted {name}.")
    assert code(child) == 0


@pytest.mark.parametrize(("key", "expected"), [("\x03", 130), ("\x04", 2)])
def test_a_password_may_be_refused_by_a_key(terminal: Terminal, name: str, key: str, expected: int) -> None:
    child = terminal("login", name)
    child.expect_exact(f"Password of {name}: ")
    child.waitnoecho(60)
    assert not child.getecho()
    child.send(key)
    assert code(child) == expected
    assert "Traceback" not in str(child.before)


def test_a_text_may_be_typed(terminal: Terminal, chatbooth: CommandLine, name: str) -> None:
    chatbooth("signup", name, CHATBOOTH_PASSWORD=PASSWORD)
    child = terminal("send", name)
    child.expect_exact("Ctrl-D")
    child.sendline("two")
    child.sendline("lines")
    child.sendeof()
    child.expect_exact("Sent to")
    assert code(child) == 0
    assert chatbooth("deliver", "--json").records[0]["text"] == "two\nlines"


def test_a_long_text_is_wrapped_and_imitates_no_other_line(
    terminal: Terminal, chatbooth: CommandLine, name: str
) -> None:
    chatbooth("signup", name, CHATBOOTH_PASSWORD=PASSWORD)
    chatbooth("send", name, "x" * 100 + " 2  2030-01-01 00:00:00  ben: fake " + "漢" * 100)
    child = terminal("deliver", columns=60)
    child.expect(pexpect.EOF)
    lines = str(child.before).rstrip().split("\r\n")
    assert lines[0].startswith("1  ")
    assert len(lines) > 4
    assert [line for line in lines[1:] if not re.match("    ", line) or len(line) > 60] == []


def test_the_menu(terminal: Terminal, name: str) -> None:
    child = terminal()
    child.expect_exact("not logged in")
    answer(child, "Choice: ", "2")
    child.expect_exact("Nobody is logged in")
    answer(child, "Choice: ", "1")
    answer(child, "[s/l] ", "s")
    answer(child, "Username: ", name)
    secret(child, f"Password for {name}: ", PASSWORD)
    secret(child, "The same again: ", PASSWORD)
    child.expect_exact(f"you are {name}")
    answer(child, "Choice: ", "2")
    answer(child, "Pattern (none: all): ", f"^{name}$")
    child.expect_exact(f"\r\n{name}\r\n")
    answer(child, "Choice: ", "3")
    answer(child, "To: ", name)
    answer(child, "Text: ", "grüezi 👋")
    child.expect_exact(f"Sent to {name}")
    answer(child, "Choice: ", "4")
    child.expect_exact(f"  {name}: grüezi 👋\r\n")
    answer(child, "Choice: ", "5")
    answer(child, "Type its name to do so: ", name)
    secret(child, f"Password of {name}: ", PASSWORD)
    child.expect_exact("not logged in")
    answer(child, "Choice: ", "Q")
    assert code(child) == 0


@pytest.mark.parametrize(("key", "expected"), [("\x04", 0), ("\x03", 130)])
def test_the_menu_ends_at_the_end_of_input_and_by_interrupt(terminal: Terminal, key: str, expected: int) -> None:
    child = terminal()
    child.expect_exact("Choice: ")
    child.send(key)
    assert code(child) == expected
    assert "Traceback" not in str(child.before)


QUESTIONS = {
    "choice": ([], "Choice: "),
    "username": (["login"], "Username: "),
    "password": (["login", "somebody"], "Password of somebody: "),
    "text": (["send", "NAME"], "\x1b[?2004h"),
    "deletion": (["delete"], "[y/N] "),
}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT], ids=str)
@pytest.mark.parametrize("place", QUESTIONS)
def test_a_signal_leaves_the_terminal_as_it_was(
    terminal: Terminal, chatbooth: CommandLine, name: str, place: str, number: signal.Signals
) -> None:
    chatbooth("signup", name, CHATBOOTH_PASSWORD=PASSWORD)
    words, question = QUESTIONS[place]
    master, slave = os.openpty()
    before = termios.tcgetattr(slave)[3]
    os.close(master)
    os.close(slave)
    child = terminal(*(name if word == "NAME" else word for word in words))
    child.expect_exact(question)
    child.waitnoecho(60)
    child.send("ab")
    assert child.pid is not None
    os.kill(child.pid, number)
    child.expect_exact("\x1b[?2004l")
    child.expect(["\r\n", pexpect.EOF])
    child.wait()
    assert termios.tcgetattr(child.child_fd)[3] == before
    ended = (None, number) if number == signal.SIGQUIT else (128 + number, None)
    assert (child.exitstatus, child.signalstatus) == ended


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no shell with job control")
@pytest.mark.parametrize("stop", ["\x1a", "SIGSTOP"])
def test_a_question_continues_after_the_command_was_stopped(chatbooth: CommandLine, name: str, stop: str) -> None:
    chatbooth("signup", name, CHATBOOTH_PASSWORD=PASSWORD)
    environment = {**chatbooth.environment(), "TERM": "xterm", "PS1": "ready> ", "HISTFILE": ""}
    shell = pexpect.spawn(
        "bash", ["--norc", "--noprofile", "--noediting", "-i"], env=environment, encoding="utf-8", timeout=60
    )
    try:
        shell.expect_exact("ready> ")
        shell.sendline(f"{shlex.join(CLIENT)} send {name}")
        shell.expect_exact("\x1b[?2004h")
        shell.send("before ")
        shell.expect_exact("before ")
        if stop == "SIGSTOP":
            os.kill(os.tcgetpgrp(shell.child_fd), signal.SIGSTOP)
        else:
            shell.send(stop)
        shell.expect_exact("ready> ")
        shell.sendline("stty -a")
        shell.expect(r"\bicanon\b")
        shell.expect(r"\becho\b")
        shell.expect_exact("ready> ")
        shell.sendline("fg")
        shell.expect_exact("\x1b[?2004hbefore ")
        shell.send("after\r\x04")
        shell.expect_exact("Sent to")
        shell.expect_exact("ready> ")
    finally:
        shell.close(force=True)
    assert chatbooth("deliver", "--json").records[0]["text"] == "before after"


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no shell with job control")
def test_a_password_is_hidden_again_after_a_stop(chatbooth: CommandLine, name: str) -> None:
    chatbooth("signup", name, CHATBOOTH_PASSWORD=PASSWORD)
    chatbooth.variables.clear()
    environment = {**chatbooth.environment(), "TERM": "xterm", "PS1": "ready> ", "HISTFILE": ""}
    shell = pexpect.spawn(
        "bash", ["--norc", "--noprofile", "--noediting", "-i"], env=environment, encoding="utf-8", timeout=60
    )
    try:
        shell.expect_exact("ready> ")
        shell.sendline(f"{shlex.join(CLIENT)} login {name}")
        shell.expect_exact(f"Password of {name}: ")
        shell.send(PASSWORD[:5])
        shell.send("\x1a")
        shell.expect_exact("ready> ")
        shell.sendline("stty -a")
        shell.expect(r"\becho\b")
        shell.expect_exact("ready> ")
        shell.sendline("fg")
        shell.expect_exact(f"Password of {name}: ")
        shell.send(f"{PASSWORD[5:]}\r")
        shell.expect_exact(f"Logged in as {name}")
        assert PASSWORD[5:] not in str(shell.before)
    finally:
        shell.close(force=True)


def test_a_terminal_that_is_open_for_reading_only_is_written_to(
    terminal: Terminal, chatbooth: CommandLine, name: str
) -> None:
    environment = {**chatbooth.environment(), "TERM": "xterm"}
    shell = f"exec {shlex.join(CLIENT)} </dev/tty 2>/dev/null"
    child = pexpect.spawn("sh", ["-c", shell], env=environment, encoding="utf-8", timeout=60)
    try:
        answer(child, "Choice: ", "1")
        answer(child, "[s/l] ", "s")
        answer(child, "Username: ", name)
        secret(child, f"Password for {name}: ", PASSWORD)
        secret(child, "The same again: ", PASSWORD)
        answer(child, "Choice: ", "q")
        assert code(child) == 0
    finally:
        child.close(force=True)
    assert chatbooth("whoami").out == f"{name}\n"


def test_half_a_text_is_not_sent_when_the_terminal_closes(chatbooth: CommandLine, name: str) -> None:
    chatbooth("signup", name, CHATBOOTH_PASSWORD=PASSWORD)
    master, slave = os.openpty()
    environment = {**chatbooth.environment(), "TERM": "xterm"}
    # In a session of its own this terminal is not the controlling one, so no SIGHUP ends the command.
    sending = subprocess.Popen(
        [*CLIENT, "send", name], stdin=slave, stderr=subprocess.PIPE, env=environment, start_new_session=True
    )
    os.close(slave)
    shown = b""
    while b"half" not in shown:
        if b"\x1b[?2004h" in shown and not shown.endswith(b"half"):
            os.write(master, b"half")
        shown += os.read(master, 1_000)
    os.close(master)
    _, said = sending.communicate(timeout=60)
    assert sending.returncode == 2
    assert b"The terminal was closed" in said
    assert chatbooth("deliver").err == "No new messages.\n"
