"""Pasted text and text typed early at a terminal: it is one answer, or none."""

from __future__ import annotations

import threading

import pytest

from tests.acceptance.processes import PASSWORD, CommandLine
from tests.acceptance.terminals import Terminal, answer, code

pytestmark = pytest.mark.filterwarnings(
    # The child of pexpect becomes another program at once.
    "ignore:.*multi-threaded, use of forkpty:DeprecationWarning"
)

PASTE_START, PASTE_END = "\x1b[200~", "\x1b[201~"


PASTED = "first\rsecond\r5\r"


@pytest.mark.parametrize("marks", [True, False])
def test_pasted_lines_are_one_text_where_a_text_is_asked_for(
    terminal: Terminal, chatbooth: CommandLine, name: str, marks: bool
) -> None:
    chatbooth("signup", name, CHATBOOTH_PASSWORD=PASSWORD)
    child = terminal()
    answer(child, "Choice: ", "3")
    answer(child, "To: ", name)
    child.expect_exact("Text: ")
    child.send(f"{PASTE_START}{PASTED}{PASTE_END}\r" if marks else PASTED)
    child.expect_exact(f"Sent to {name}")
    answer(child, "Choice: ", "q")
    assert code(child) == 0
    assert [record["text"] for record in chatbooth("deliver", "--json").records] == ["first\nsecond\n5"]


@pytest.mark.parametrize("marks", [True, False])
def test_pasted_lines_are_no_answer_where_a_choice_is_asked_for(
    terminal: Terminal, chatbooth: CommandLine, name: str, marks: bool
) -> None:
    chatbooth("signup", name, CHATBOOTH_PASSWORD=PASSWORD)
    child = terminal()
    for question in ("Choice: ", "Choice: "):
        child.expect_exact(question)
        child.send(f"{PASTE_START}5\r{name}\r{PASTE_END}\r" if marks else f"5\r{name}\r")
        child.expect_exact("several lines")
    answer(child, "Choice: ", "q")
    assert code(child) == 0
    assert chatbooth("whoami").out == f"{name}\n"


def test_text_typed_before_a_dangerous_question_is_no_answer(
    terminal: Terminal, chatbooth: CommandLine, name: str
) -> None:
    chatbooth("signup", name, CHATBOOTH_PASSWORD=PASSWORD)
    child = terminal("delete")
    # This comes long before the question.
    child.send("y\r")
    child.expect_exact("[y/N] ")
    child.send("\r")
    child.expect_exact("Nothing was deleted.")
    assert code(child) == 2


def test_a_password_is_pasted_without_its_marks(terminal: Terminal, chatbooth: CommandLine, name: str) -> None:
    chatbooth("signup", name, CHATBOOTH_PASSWORD=PASSWORD)
    child = terminal("login", name)
    child.expect_exact(f"Password of {name}: ")
    child.send(f"{PASTE_START}{PASSWORD}\r{PASTE_END}\r")
    child.expect_exact(f"Logged in as {name}")
    assert code(child) == 0


def test_a_text_of_any_length_is_pasted_whole(terminal: Terminal, chatbooth: CommandLine, name: str) -> None:
    chatbooth("signup", name, CHATBOOTH_PASSWORD=PASSWORD)
    # This is longer than any line that the kernel collects.
    text = "0123456789" * 2_000
    child = terminal("send", name)
    child.expect_exact("Ctrl-D")
    child.expect_exact("\x1b[?2004h")
    # A terminal shows text while it pastes: the paste waits for the output, and the output for the paste.
    pasting = threading.Thread(target=child.send, args=(f"{PASTE_START}{text}{PASTE_END}\r",))
    pasting.start()
    child.expect_exact("789\r\n")
    pasting.join()
    child.send("\x04")
    child.expect_exact("Sent to")
    assert code(child) == 0
    assert chatbooth("deliver", "--json").records[0]["text"] == text


def test_a_terminal_that_does_not_know_marks_gets_none(terminal: Terminal) -> None:
    child = terminal("login", term="dumb")
    answer(child, "Username: ", "somebody")
    child.expect_exact("Password of somebody: ")
    child.send("\x03")
    assert code(child) == 130
    assert "\x1b" not in str(child.before)
