"""Logs: their two forms, and no secret in them."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import apsw
import grpc
import pytest

from chatbooth_grpc._gen import chatbooth_pb2 as pb
from chatbooth_grpc.server.logs import JournalFormatter, JsonFormatter, TextFormatter, announce, configure_logs
from tests.rpc.running import PATIENCE, Running, bearer, refusal
from tests.server.served import Served


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """Return the root logger, and restore it after the test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


def record(message: str, *arguments: object, **fields: object) -> logging.LogRecord:
    """Return a record as a logger makes it."""
    return logging.getLogger("chatbooth_grpc.test").makeRecord(
        "chatbooth_grpc.test", logging.WARNING, __file__, 1, message, arguments, None, extra=fields
    )


def failed(message: str) -> logging.LogRecord:
    """Return a record of a failure."""
    try:
        raise ValueError("broken")
    except ValueError as error:
        made = record(message)
        made.exc_info = (type(error), error, error.__traceback__)
        return made


def test_json_is_one_object_a_line() -> None:
    made = record("draining “%s”\n", "now", grace_seconds=2.5, path=os)
    made.created = 1_760_000_000.25
    line = JsonFormatter().format(made)
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2025-10-09T08:53:20.250+00:00",
        "level": "warning",
        "logger": "chatbooth_grpc.test",
        "event": "draining “now”\n",
        "grace_seconds": 2.5,
        "path": str(os),
    }


def test_json_keeps_a_traceback_in_its_line() -> None:
    line = JsonFormatter().format(failed("it failed"))
    assert "\n" not in line
    assert "ValueError: broken" in json.loads(line)["traceback"]


def test_text_is_a_sentence_followed_by_its_fields() -> None:
    made = record("a call", action=3, outcome="OK")
    made.created = 1_760_000_000.25
    assert TextFormatter().format(made) == "2025-10-09T08:53:20.250+00:00 warning: a call action=3 outcome=OK"


def test_text_has_a_traceback_below_its_line() -> None:
    first, *rest = TextFormatter().format(failed("it failed")).splitlines()
    assert first.endswith("warning: it failed")
    assert rest[-1] == "  ValueError: broken"
    assert all(line.startswith("  ") for line in rest)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain.Name-1", "plain.Name-1"),
        ("[::1]:5000", "[::1]:5000"),
        (None, "-"),
        ("", '""'),
        ("two words", '"two words"'),
        ("ann outcome=OK", '"ann outcome=OK"'),
        ('a "quoted" one', '"a \\"quoted\\" one"'),
        ('\\"outcome=OK', '"\\\\\\"outcome=OK"'),
        ("one\n2026-01-01 warning: log-in failed", '"one\\n2026-01-01 warning: log-in failed"'),
        ("\r\x1b[2J\x00", "\\r\\x1b[2J\\x00"),
        ("\u2028\u202e\x85", "\\u2028\\u202e\\x85"),
        ("\udc80", "\\udc80"),
        ("Γειά", "Γειά"),
    ],
)
def test_no_value_can_imitate_another_line_or_field(value: object, written: str) -> None:
    made = record("an event", name_given=value)
    line = TextFormatter().format(made)
    assert line.endswith(f" warning: an event name_given={written}")
    assert line.isprintable()
    assert json.loads(JsonFormatter().format(made))["name_given"] == value


def test_neither_an_event_nor_an_exception_can_imitate_a_line() -> None:
    made = failed("bad\nevent")
    made.exc_info = (ValueError, ValueError("bad\n2026-01-01 forged\x1b"), None)
    for formatter in (TextFormatter(), JsonFormatter()):
        first, *rest = formatter.format(made).split("\n")
        assert "bad\\nevent" in first
        assert all(line.startswith("  ") and line.isprintable() for line in rest)


@pytest.mark.parametrize(("log_format", "begins"), [("json", "{"), ("text", "20")])
def test_records_of_the_level_and_higher_go_to_stderr(
    root: logging.Logger, capsys: pytest.CaptureFixture[str], log_format: str, begins: str
) -> None:
    configure_logs("warning", log_format)
    logging.getLogger("chatbooth_grpc.anything").info("too quiet")
    logging.getLogger("anything.else").warning("loud enough")
    out, err = capsys.readouterr()
    assert out == ""
    [line] = err.splitlines()
    assert line.startswith(begins)
    assert "loud enough" in line


_FAILING = """
import logging, sys, threading, warnings
from chatbooth_grpc.server.logs import configure_logs, log_everything
configure_logs("info", sys.argv[1])
log_everything()
warnings.warn("deprecated\\nfor long", stacklevel=1)
def fail():
    raise ValueError("in a thread")
thread = threading.Thread(target=fail, name="worker")
thread.start()
thread.join()
class Unraisable:
    def __del__(self):
        raise ValueError("in a destructor")
Unraisable()
logging.getLogger("library").warning("%d things", "no number")
raise ValueError("in the main thread\\n{}")
"""


def test_every_text_that_python_prints_by_itself_becomes_a_line_of_the_logs() -> None:
    command = [sys.executable, "-c", _FAILING]
    failed = [
        subprocess.run([*command, log_format], capture_output=True, text=True, check=False, timeout=PATIENCE)
        for log_format in ("json", "text")
    ]
    assert [done.returncode for done in failed] == [1, 1]
    entries = [json.loads(line) for line in failed[0].stderr.splitlines()]
    assert [entry["event"] for entry in entries[1:]] == [
        "a thread failed",
        "an exception was ignored",
        "a log line could not be formatted",
        "the server failed",
    ]
    assert "deprecated\nfor long" in entries[0]["event"]
    assert entries[1]["thread_name"] == "worker"
    assert [entry["traceback"].splitlines()[-2:][-1] for entry in entries[1:3]] == [
        "ValueError: in a thread",
        "ValueError: in a destructor",
    ]
    lines = [line for line in failed[1].stderr.splitlines() if not line.startswith("  ")]
    assert len(lines) == len(entries)
    assert all(re.match(r"\d{4}-\d\d-\d\dT", line) for line in lines)


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_an_announcement_is_logged_at_every_level(
    root: logging.Logger, capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    configure_logs("error", log_format)
    announce("listening", text="one\ntwo\x1b", address="127.0.0.1:1")
    said = capsys.readouterr().err
    if log_format == "text":
        assert said == "one\ntwo\\x1b\n"
    else:
        assert json.loads(said).items() >= {"event": "listening", "level": "info", "address": "127.0.0.1:1"}.items()
        assert "plain_text" not in said


# Secrets


SECRET = "hushhush"
PASSWORD = f"{SECRET}-password"
NEW_PASSWORD = f"{SECRET}-another-password"
TEXT = f"{SECRET}-text"
NAMES = ("whisperer", "eavesdropper")


@pytest.fixture
def logged(root: logging.Logger) -> io.StringIO:
    """Return all lines that are logged from here on, in both forms, at debug level."""
    logged = io.StringIO()
    for formatter in (JsonFormatter(), TextFormatter()):
        handler = logging.StreamHandler(logged)
        handler.setFormatter(formatter)
        root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    return logged


def drive_every_action(running: Running) -> list[pb.Session]:
    """Perform every action with success and with failure. Return the sessions, whose tokens are secrets too."""
    stub = running.stub
    ann = running.sign_up(NAMES[0], PASSWORD)
    ben = running.sign_up(NAMES[1], PASSWORD)
    other = running.log_in(NAMES[0], PASSWORD)
    refusal(running.sign_up, NAMES[0], PASSWORD)
    refusal(running.sign_up, SECRET + " ", PASSWORD)
    refusal(running.sign_up, "short", SECRET[:7])
    refusal(running.log_in, NAMES[0], NEW_PASSWORD)
    running.send(ann, NAMES[1], TEXT, b"i" * 16)
    refusal(running.send, ann, NAMES[1], TEXT + "!", b"i" * 16)
    refusal(running.send, ann, SECRET, TEXT)
    stream = stub.Listen(pb.ListenRequest(), metadata=bearer(ben), timeout=PATIENCE)
    assert [next(stream).WhichOneof("event") for _ in range(2)] == ["opening", "batch"]
    assert running.texts(ben) == [TEXT]
    refusal(running.deliver, ben, after=99)
    stub.Acknowledge(pb.AcknowledgeRequest(through=1), metadata=bearer(ben), timeout=PATIENCE)
    stub.List(pb.ListRequest(pattern=SECRET), metadata=bearer(ann), timeout=PATIENCE)
    refusal(stub.List, pb.ListRequest(pattern=f"({SECRET}"), metadata=bearer(ann), timeout=PATIENCE)
    refusal(running.raw("Send"), f"\x1a\x20{TEXT}".encode() + b"\xff", metadata=bearer(ann), timeout=PATIENCE)
    change = pb.ChangePasswordRequest(old_password=PASSWORD, new_password=NEW_PASSWORD)
    stub.ChangePassword(change, metadata=bearer(ann), timeout=PATIENCE)
    refusal(stub.ChangePassword, change, metadata=bearer(ann), timeout=PATIENCE)
    refusal(running.deliver, other)
    stub.LogOut(pb.LogOutRequest(), metadata=bearer(ben), timeout=PATIENCE)
    refusal(stub.Delete, pb.DeleteRequest(password=PASSWORD), metadata=bearer(ann), timeout=PATIENCE)
    stub.Delete(pb.DeleteRequest(password=NEW_PASSWORD), metadata=bearer(ann), timeout=PATIENCE)
    return [ann, ben, other]


def fail_every_action(running: Running) -> list[pb.Session]:
    """Perform every action while the store fails, with its own errors and by bugs. Return the sessions."""
    stub = running.stub
    sessions = [running.sign_up(NAMES[0], PASSWORD)]
    ann = sessions[0]
    running.send(ann, NAMES[0], TEXT)
    everything = [
        lambda: running.sign_up(NAMES[1], PASSWORD),
        lambda: running.log_in(NAMES[0], PASSWORD),
        lambda: running.send(ann, NAMES[0], TEXT),
        lambda: running.deliver(ann),
        lambda: stub.Acknowledge(pb.AcknowledgeRequest(through=1), metadata=bearer(ann), timeout=PATIENCE),
        lambda: stub.List(pb.ListRequest(pattern=SECRET), metadata=bearer(ann), timeout=PATIENCE),
        lambda: list(stub.Listen(pb.ListenRequest(after=0), metadata=bearer(ann), timeout=PATIENCE)),
        lambda: stub.ChangePassword(
            pb.ChangePasswordRequest(old_password=PASSWORD, new_password=NEW_PASSWORD),
            metadata=bearer(ann),
            timeout=PATIENCE,
        ),
        lambda: stub.Delete(pb.DeleteRequest(password=PASSWORD), metadata=bearer(ann), timeout=PATIENCE),
        lambda: stub.LogOut(pb.LogOutRequest(), metadata=bearer(ann), timeout=PATIENCE),
    ]

    def fail(method: str) -> None:
        if method != "session":
            raise RuntimeError("a defect, made for this test")

    running.store.before = fail
    for action in everything:
        assert refusal(action).code in (grpc.StatusCode.INTERNAL, grpc.StatusCode.CANCELLED)
    running.store.before = lambda _: None

    # SQLite itself fails on every write, then on every read.
    connection = apsw.Connection(str(running.path))
    connection.set_busy_timeout(5_000)
    for table in ("accounts", "sessions", "messages", "mailboxes"):
        for event in ("INSERT", "UPDATE", "DELETE"):
            connection.execute(
                f"CREATE TRIGGER {table}_{event} BEFORE {event} ON {table} BEGIN SELECT RAISE(FAIL, 'forced'); END"
            )
    writes = [everything[number] for number in (0, 1, 2, 4, 7, 8, 9)]
    assert {refusal(write).reason for write in writes} <= {"STORE_UNAVAILABLE", "INTERNAL"}
    connection.execute("DROP TABLE messages")
    assert refusal(everything[3]).reason in ("STORE_UNAVAILABLE", "INTERNAL")
    connection.close()
    return sessions


@pytest.mark.parametrize("drive", [drive_every_action, fail_every_action])
def test_no_log_line_holds_a_secret(running: Running, logged: io.StringIO, drive: object) -> None:
    assert callable(drive)
    sessions: list[pb.Session] = drive(running)
    running.drain()
    lines = logged.getvalue()
    assert '"event": "call"' in lines
    assert " debug: call action=" in lines
    assert ("log-in failed" in lines) == (drive is drive_every_action)
    if drive is fail_every_action:
        assert "a defect, made for this test" in lines
        assert "forced" in lines
    for session in sessions:
        for secret in (session.token.hex(), repr(session.token), repr(session.token)[2:-1]):
            assert secret not in lines
    assert SECRET not in lines.lower()


LEVELS = [("DEBUG", 7), ("INFO", 6), ("WARNING", 4), ("ERROR", 3), ("CRITICAL", 2)]


@pytest.mark.parametrize(("level", "priority"), LEVELS)
def test_a_line_for_the_journal_has_its_priority_and_no_time(level: str, priority: int) -> None:
    made = record("draining", grace_seconds=2.5)
    made.levelno, made.levelname = getattr(logging, level), level
    assert JournalFormatter().format(made) == f"<{priority}>{level.lower()}: draining grace_seconds=2.5"


def test_a_level_that_the_journal_does_not_know_is_a_notice() -> None:
    made = record("odd")
    made.levelno, made.levelname = 25, "ODD"
    assert JournalFormatter().format(made) == "<5>odd: odd"


def test_each_line_of_a_traceback_has_its_priority() -> None:
    first, *rest = JournalFormatter().format(failed("bad")).split("\n")
    assert first == "<4>warning: bad"
    assert rest[-1] == "<4>  ValueError: broken"
    assert len(rest) > 2
    assert all(line.startswith("<4>  ") for line in rest)


def stream_of(path: Path) -> str:
    """Return what systemd says in the environment of a process whose stderr is this file."""
    path.touch()
    found = path.stat()
    return f"{found.st_dev}:{found.st_ino}"


@pytest.mark.parametrize(
    ("flags", "is_journal", "begins"),
    [
        ([], True, "<6>chatbooth "),
        ([], False, "chatbooth "),
        (["--log-format", "journal"], False, "<6>chatbooth "),
        (["--log-format", "json"], True, "{"),
    ],
)
def test_a_server_writes_for_the_journal_if_stderr_is_the_journal(
    serve: Callable[..., Served], tmp_path: Path, flags: list[str], *, is_journal: bool, begins: str
) -> None:
    journal = tmp_path / ("stderr" if is_journal else "another")
    server = serve(*flags, JOURNAL_STREAM=stream_of(journal))
    server.process.terminate()
    assert server.process.wait(PATIENCE) == 0
    assert all(line.startswith(begins[:1]) for line in server.said.splitlines() if begins[0] in "<{")
    assert server.said.startswith(begins)
    assert ("<6>info: stopped\n" in server.said) is begins.startswith("<")
