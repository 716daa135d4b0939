"""Output: data goes to one stream, words to the other. JSON is ASCII, and words are safe."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbooth_grpc.booth.errors import RecipientNotFound, UnknownError
from chatbooth_grpc.client.failures.command_failure import Misuse
from chatbooth_grpc.client.terminal.output import Output
from tests.client.streams import Terminal


def printed(as_json: bool, *results: str, quiet: bool = False) -> tuple[str, str]:
    """Return what a person, or a program, gets on each stream."""
    out, err = io.StringIO(), io.StringIO()
    output = Output(out, err, as_json=as_json, quiet=quiet)
    for words in results:
        output.datum({"a": words}, words)
    output.result({"b": 1}, "done")
    output.say("in passing")
    return out.getvalue(), err.getvalue()


def test_a_person_gets_data_and_words_on_two_streams() -> None:
    assert printed(False, "x", "y") == ("x\ny\n", "done\nin passing\n")


def test_quiet_keeps_data_and_errors() -> None:
    assert printed(False, "x", quiet=True) == ("x\n", "")
    assert printed(True, "x", quiet=True) == printed(True, "x")
    err = io.StringIO()
    output = Output(io.StringIO(), err, as_json=False, quiet=True)
    output.fail(Misuse("So not."))
    output.notice({"type": "gap"}, "Messages are missing.")
    output.result({"type": "refused"}, "Not sent.", even_if_quiet=True)
    assert err.getvalue() == "chatbooth: So not.\nMessages are missing.\nNot sent.\n"


def test_a_program_gets_one_object_a_line_and_no_words() -> None:
    assert printed(True, "x", "\x1b\n") == ('{"a": "x"}\n{"a": "\\u001b\\n"}\n{"b": 1}\n', "")


@given(st.text(st.characters(codec=None)))
def test_json_is_ascii_for_every_value(text: str) -> None:
    out, _ = printed(True, text)
    assert out.isascii()
    assert json.loads(out.splitlines()[0]) == {"a": text}


@given(st.text(st.characters(codec=None)))
def test_words_are_one_safe_line_for_every_value(text: str) -> None:
    err = io.StringIO()
    Output(io.StringIO(), err, as_json=False).fail(UnknownError("ODD", text))
    shown = err.getvalue()
    assert shown.startswith("chatbooth: ")
    assert shown.count("\n") == 1
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("error", "record"),
    [
        (
            RecipientNotFound("bob"),
            {"error": "RECIPIENT_NOT_FOUND", "exit_code": 5, "details": {"recipient": "bob"}},
        ),
        (Misuse("So not."), {"error": "USAGE", "exit_code": 2, "details": {}, "message": "So not."}),
        (OSError(28, "No space", "file"), {"error": "FAILED", "exit_code": 1, "message": "file: No space"}),
        (OSError(), {"error": "FAILED", "exit_code": 1, "message": "OSError"}),
    ],
)
def test_a_program_gets_an_error_as_one_object(error: Exception, record: dict[str, object]) -> None:
    err = io.StringIO()
    Output(io.StringIO(), err, as_json=True).fail(error)
    assert json.loads(err.getvalue()).items() >= record.items()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setattr("chatbooth_grpc.client.terminal.output._columns", lambda terminal: 20)
    return Terminal()


def test_a_temporary_line_is_replaced_and_cleared(terminal: Terminal) -> None:
    output = Output(io.StringIO(), terminal, as_json=False)
    output.show_passing("10%, a moment")
    output.show_passing("100%")
    output.say("done")
    output.show_passing("")
    assert terminal.getvalue() == ("\r\r10%, a moment" + "\r             \r100%" + "\r    \r" + "done\n")


def test_a_temporary_line_is_one_safe_line(terminal: Terminal) -> None:
    output = Output(io.StringIO(), terminal, as_json=False)
    output.show_passing("x" * 100)
    output.show_passing("\x1b\n")
    assert terminal.getvalue() == "\r\r" + "x" * 19 + "\r" + " " * 19 + "\r\\x1b\\n"


@pytest.mark.parametrize(("as_json", "err"), [(True, Terminal()), (False, io.StringIO()), (False, None)])
def test_without_a_terminal_there_is_no_temporary_line(as_json: bool, err: io.StringIO | None) -> None:
    output = Output(io.StringIO(), err, as_json=as_json)
    output.show_passing("10%")
    assert not output.shows_passing
    assert err is None or err.getvalue() == ""
