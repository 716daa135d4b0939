"""`send --from-file` over a real booth: what it sends and reports, and how it resumes."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.booth.errors import RateLimited, ServerUnreachable, StoreFull
from chatbooth_grpc.client.commands.login import log_in
from chatbooth_grpc.client.commands.signup import sign_up
from chatbooth_grpc.client.commands.tasks.from_file import FileChanged, import_messages
from chatbooth_grpc.client.failures.command_failure import exit_code
from chatbooth_grpc.client.failures.outcomes import SomeNotSent
from chatbooth_grpc.client.failures.session_failures import NotLoggedIn, SessionEnded
from chatbooth_grpc.client.library import sending_many
from tests.client.booth_stream import BoothSendStream
from tests.client.booths import SERVER, Desk
from tests.client.streams import Terminal


def line(text: str, recipient: str = "ann", **more: object) -> str:
    return json.dumps({"recipient": recipient, "text": text, **more}) + "\n"


@pytest.fixture
def ann(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Return ann's desk, which sends small batches."""
    monkeypatch.setattr(sending_many, "BATCH_MESSAGES", 3)
    monkeypatch.setattr(sending_many, "FIRST_BACKOFF", 0.001)
    sign_up(desk.context(), "ann")
    desk.said()
    return desk


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file of forty lines."""
    path = tmp_path / "messages.jsonl"
    path.write_text("".join(map(line, TEXTS)))
    return path


TEXTS = [str(number) for number in range(40)]


@pytest.fixture
def mailbox(ann: Desk, booth: Booth) -> Callable[[], list[str]]:
    """Return a function that reads the texts in ann's mailbox."""

    def texts() -> list[str]:
        token = ann.context().pick().session.token
        return [message.text for message in booth.deliver(token, after=0).messages]

    return texts


def ending(after: int, error: BaseException) -> Callable[[BoothSendStream], list]:
    """Return a replacement for a stream's `receive`: after some batches it stores one more, and loses its outcomes."""
    left = [after]

    def receive(stream: BoothSendStream, real: Callable = BoothSendStream.receive) -> list:
        outcomes: list = real(stream)
        left[0] -= 1
        if left[0] < 0:
            raise error
        return outcomes

    return receive


def test_all_lines_are_sent_in_order(ann: Desk, file: Path, mailbox: Callable[[], list[str]]) -> None:
    import_messages(ann.context(), str(file))
    assert mailbox() == TEXTS
    assert (ann.printed(), ann.said()) == ([], "40 sent.\n")


def test_a_repeated_run_stores_no_message_twice(ann: Desk, file: Path, mailbox: Callable[[], list[str]]) -> None:
    import_messages(ann.context(), str(file))
    log_in(ann.context(), "ann")
    import_messages(ann.context(), str(file))
    assert mailbox() == TEXTS


def test_another_file_with_the_same_lines_is_sent_too(ann: Desk, file: Path, mailbox: Callable[[], list[str]]) -> None:
    import_messages(ann.context(), str(file))
    file.write_text(line("0"))
    import_messages(ann.context(), str(file))
    assert mailbox() == [*TEXTS, "0"]


def test_a_bad_line_does_not_stop_the_others(ann: Desk, file: Path, mailbox: Callable[[], list[str]]) -> None:
    file.write_text(
        line("a") + "oh\x1b\n" + line("b", "nobody") + line("c", colour="red") + line("", "ann") + line("d")
    )
    with pytest.raises(SomeNotSent, match=r"2 sent, 4 not sent\.") as caught:
        import_messages(ann.context(), str(file))
    assert exit_code(caught.value) == 1
    assert mailbox() == ["a", "d"]
    said = ann.said().splitlines()
    assert sorted(words.split(":")[0] for words in said) == ["Line 2", "Line 3", "Line 4", "Line 5"]
    assert "Line 3: There is no account named nobody. List the accounts to see who is there." in said


def test_a_program_gets_an_object_for_each_failed_line_and_a_summary(ann: Desk, file: Path) -> None:
    file.write_text("oh\n" + line("a") + line("b", "nobody"))
    with pytest.raises(SomeNotSent) as caught:
        import_messages(ann.context(as_json=True), str(file))
    bad, refused, summary = ann.records()
    assert (bad["line"], bad["error"]) == (1, "BAD_LINE")
    assert refused == {
        "line": 3,
        "error": "RECIPIENT_NOT_FOUND",
        "message": "There is no account named nobody. List the accounts to see who is there.",
    }
    assert summary == {"sent": 1, "failed": 2}
    assert caught.value.details() == {"sent": "1", "failed": "2"}
    assert ann.said() == ""


def test_a_program_gets_only_the_summary_if_no_line_fails(ann: Desk, file: Path) -> None:
    import_messages(ann.context(as_json=True), str(file))
    assert ann.records() == [{"sent": 40, "failed": 0}]


def test_an_empty_file_is_no_failure(ann: Desk, file: Path) -> None:
    file.write_bytes(b"")
    import_messages(ann.context(), str(file))
    assert ann.said() == "0 sent.\n"


def test_a_missing_file_is_an_error(ann: Desk, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        import_messages(ann.context(), str(tmp_path / "none"))
    with pytest.raises(IsADirectoryError):
        import_messages(ann.context(), str(tmp_path))


def test_without_a_session_the_error_is_about_that_and_not_about_the_file(desk: Desk) -> None:
    with pytest.raises(NotLoggedIn):
        import_messages(desk.context(), "none")


def test_standard_input_says_that_it_cannot_be_resumed(ann: Desk, mailbox: Callable[[], list[str]]) -> None:
    for _ in range(2):
        import_messages(ann.context(typed=line("a") + line("b")), "-")
        assert ann.said().splitlines() == [
            "Lines without a message_id have new ids in each run: this one cannot be resumed.",
            "2 sent.",
        ]
    assert mailbox() == ["a", "b"] * 2


def test_standard_input_with_ids_can_be_resumed(ann: Desk, mailbox: Callable[[], list[str]]) -> None:
    typed = line("a", message_id="aa" * 16) + line("b", message_id="bb" * 16)
    for _ in range(2):
        import_messages(ann.context(typed=typed), "-")
        assert ann.said() == "2 sent.\n"
    assert mailbox() == ["a", "b"]


def test_a_named_pipe_is_read_once(ann: Desk, tmp_path: Path, mailbox: Callable[[], list[str]]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(line("a") + line("b"),))
    writer.start()
    import_messages(ann.context(), str(pipe))
    writer.join()
    assert mailbox() == ["a", "b"]
    assert "cannot be resumed" in ann.said()


@pytest.mark.parametrize("batches", [[0], [1], [5], [1, 2]])
def test_the_run_waits_for_a_server_that_is_away_for_a_while(
    ann: Desk, file: Path, mailbox: Callable[[], list[str]], batches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = iter([ending(count, ServerUnreachable(SERVER)) for count in batches])

    def receive(stream: BoothSendStream, real: Callable = BoothSendStream.receive) -> list:
        if not hasattr(stream, "way"):
            stream.way = next(streams, real)  # type: ignore[attr-defined]
        outcomes: list = stream.way(stream)  # type: ignore[attr-defined]
        return outcomes

    monkeypatch.setattr(BoothSendStream, "receive", receive)
    import_messages(ann.context(), str(file))
    assert mailbox() == TEXTS
    *lost, last = ann.said().splitlines()
    assert len(lost) == len(batches)
    for words in lost:
        assert words.startswith(f"No connection to {SERVER}.")
        assert words.endswith("Trying again, for up to 5 s…")
    assert last == "40 sent."


def test_a_run_that_is_too_quick_for_the_server_says_so_once_and_goes_on(
    ann: Desk, file: Path, mailbox: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = "1,000 messages from one account in a second"
    streams = iter([ending(count, RateLimited(limit, 0.01)) for count in (1, 2, 1)])

    def receive(stream: BoothSendStream, real: Callable = BoothSendStream.receive) -> list:
        if not hasattr(stream, "way"):
            stream.way = next(streams, real)  # type: ignore[attr-defined]
        outcomes: list = stream.way(stream)  # type: ignore[attr-defined]
        return outcomes

    monkeypatch.setattr(BoothSendStream, "receive", receive)
    import_messages(ann.context(), str(file))
    assert mailbox() == TEXTS
    assert ann.said().splitlines() == [
        f"The server takes at most {limit}, so sending goes on at that speed.",
        "40 sent.",
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), StoreFull()])
def test_a_broken_run_says_how_to_resume_and_resumes(
    ann: Desk,
    file: Path,
    mailbox: Callable[[], list[str]],
    error: BaseException,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BoothSendStream, "receive", ending(2, error))
        with pytest.raises(type(error)):
            import_messages(ann.context(), str(file))
    assert ann.said() == ("6 sent so far. The same command, with the file unchanged, goes on where this one stopped.\n")
    assert mailbox() == TEXTS[:9]
    import_messages(ann.context(), str(file))
    assert mailbox() == TEXTS
    assert ann.said() == "40 sent.\n"


def test_a_program_gets_the_summary_of_a_broken_run(ann: Desk, file: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BoothSendStream, "receive", ending(2, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            import_messages(ann.context(as_json=True), str(file))
    assert ann.records() == [{"sent": 6, "failed": 0}]


def test_a_broken_run_of_standard_input_does_not_claim_that_it_can_be_resumed(ann: Desk) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BoothSendStream, "receive", ending(0, KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            import_messages(ann.context(typed=line("a")), "-")
    assert ann.said().splitlines()[1:] == ["0 sent so far. The same command would send them again, under new ids."]


def test_the_run_ends_when_its_patience_is_over(ann: Desk, file: Path, mailbox: Callable[[], list[str]]) -> None:
    def away(action: str) -> None:
        if action == "send_stream":
            raise ServerUnreachable(SERVER)

    ann.transport.before = away
    context = ann.context()
    object.__setattr__(context, "timeout", 0.05)
    with pytest.raises(ServerUnreachable) as caught:
        import_messages(context, str(file))
    assert exit_code(caught.value) == 4
    assert "0 sent so far." in ann.said()
    assert mailbox() == []


def test_an_ended_session_is_an_error(ann: Desk, booth: Booth, file: Path) -> None:
    booth.log_out(ann.context().pick().session.token)
    with pytest.raises(SessionEnded):
        import_messages(ann.context(), str(file))
    assert ann.context().sessions.usernames() == []


@pytest.mark.parametrize("change", ["grows", "shrinks", "rewritten"])
def test_a_file_that_changes_during_the_run_is_an_error(
    ann: Desk, file: Path, mailbox: Callable[[], list[str]], change: str
) -> None:
    done: list[str] = []

    def alter(action: str) -> None:
        if action == "send_stream" and not done:
            done.append(action)
            content = file.read_bytes()
            file.write_bytes({"grows": content * 2, "shrinks": b"", "rewritten": content[::-1]}[change])
            os.utime(file, ns=(1, 1))

    ann.transport.before = alter
    with pytest.raises(FileChanged, match="40 sent, but the file changed" if change == "grows" else "the file changed"):
        import_messages(ann.context(), str(file))
    if change == "grows":
        assert mailbox() == TEXTS


def test_a_terminal_shows_progress_and_clears_it_at_the_end(
    ann: Desk, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatbooth_grpc.client.terminal.output._columns", lambda terminal: 30)
    monkeypatch.setattr("chatbooth_grpc.client.terminal.progress.INTERVAL", 0.0)
    ann.err = Terminal()
    file.write_text("oh\n" + file.read_text())
    with pytest.raises(SomeNotSent):
        import_messages(ann.context(), str(file))
    shown = ann.said()
    assert "Reading the file…" in shown
    assert "40 sent, 100%" in shown
    assert seen(shown) == ["Line 1: The line is not JSON: Expecting value, at character 1.", ""]


def test_a_program_gets_no_progress(ann: Desk, file: Path) -> None:
    ann.err = Terminal()
    import_messages(ann.context(as_json=True), str(file))
    assert ann.said() == ""


def seen(written: str) -> list[str]:
    """Return the lines that a terminal shows at the end."""
    lines: list[str] = []
    for row in written.split("\n"):
        screen: list[str] = []
        for part in row.split("\r"):
            screen[: len(part)] = part
        lines.append("".join(screen).rstrip())
    return lines
