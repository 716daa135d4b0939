"""send: the source of the text, --from-file and --queue, and the errors of usage."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatbooth_grpc.booth.booth import Booth
from chatbooth_grpc.client.commands.arguments import parse
from chatbooth_grpc.client.commands.signup import sign_up
from chatbooth_grpc.client.failures.session_failures import NotLoggedIn
from tests.client.booths import Desk
from tests.client.commands.lines import parsed, run_line

ID = "0193a000-0000-7000-8000-0000000000aa"


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("send bob hi", "hi"),
        ("send bob", None),
        ("send bob -", None),
        ("send bob -- -", "-"),
        ("send -- bob -", "-"),
        ("send bob -- --", "--"),
        ("send bob -- -h", "-h"),
        ("send bob -5", "-5"),
        ("send --json bob", None),
        ("send bob --json hi", "hi"),
        (f"send bob --message-id {ID} hi", "hi"),
        (f"send --message-id {ID} bob hi", "hi"),
        (f"send bob hi --message-id {ID}", "hi"),
        ("send bob --json -", None),
        ("send bob -- -hi", "-hi"),
        ("send -- bob -hi", "-hi"),
        (f"send --message-id {ID} bob -- -hi", "-hi"),
        (f"send bob --message-id {ID} -- -hi", "-hi"),
        ("send bob --json -- --json", "--json"),
    ],
)
def test_the_text_is_found_wherever_flags_stand(line: str, text: str | None) -> None:
    found = parsed(line)
    assert (found["recipient"], found["text"]) == ("bob", text)
    assert found["message_id"] == (bytes.fromhex(ID.replace("-", "")) if ID in line else None)


TEXTS_LIKE_FLAGS = [
    *("-h", "--help", "--json", "--queue", "--version", "-x", "-hq", "--", "--message-id", f"--message-id={ID}"),
    *(
        "--from-file",
        "--from-file=-",
        "--as",
        "--as=ann",
        "--server",
        "--timeout=5",
        "-h me",
        "--json x",
        "- -",
        "-5 x",
    ),
]


@pytest.mark.parametrize("text", TEXTS_LIKE_FLAGS)
@pytest.mark.parametrize("flags", [[], ["--json"], ["--timeout", "5"], ["--message-id", ID, "--as", "ann"]])
@pytest.mark.parametrize("before", [True, False])
def test_a_text_that_looks_like_a_flag_is_sent_or_refused(
    text: str, flags: list[str], before: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if text == "--" and flags and not before:
        # The parser cannot tell this from a text after two dashes.
        return
    try:
        found = parse(["send", *flags, "bob", text] if before else ["send", "bob", text, *flags])
    except SystemExit as exited:
        said = capsys.readouterr()
        assert (exited.code, said.out) == (2, "")  # noqa: PT017  # both outcomes are right
        assert " -- " in said.err
    else:
        assert (found.recipient, found.text) == ("bob", text)
    found = parse(["send", *flags, "--", "bob", text])
    assert (found.recipient, found.text) == ("bob", text)


@pytest.mark.parametrize("line", ["send --from-file f", "send --json --from-file=f --as ann"])
def test_a_file_replaces_recipient_and_text(line: str) -> None:
    found = parsed(line)
    assert (found["from_file"], found["recipient"], found["text"]) == ("f", None, None)


def test_without_a_file_a_message_has_a_recipient_and_a_dash_may_follow_it() -> None:
    assert parsed("send --from-file -")["from_file"] == "-"
    found = parsed("send bob -- --from-file")
    assert (found["from_file"], found["text"]) == (None, "--from-file")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("send bob --from-file f", "USER"),
        ("send --from-file f bob", "USER"),
        ("send --from-file f bob hi", "USER"),
        ("send --from-file f -- bob -hi", "USER"),
        ("send bob --from-file f hi", "USER"),
        (f"send --from-file f --message-id {ID}", "--message-id"),
        ("send --queue --from-file f", "--queue"),
    ],
)
def test_a_file_excludes_the_arguments_that_it_gives_itself(
    line: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exited:
        parsed(line)
    assert exited.value.code == 2
    assert f"leave {words}" in capsys.readouterr().err


def test_the_help_of_send_describes_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("send --help")
    words = capsys.readouterr().out
    assert '{"recipient": "ben", "text": "Hello!"}' in words
    assert "cannot be resumed" in words
    assert words.isascii()
    assert max(map(len, words.splitlines())) <= 80


def test_standard_input_is_read_only_if_the_text_was_left_out(desk: Desk, booth: Booth) -> None:
    sign_up(desk.context(), "ann")
    token = desk.context().pick().session.token
    for line in ("send ann", "send ann -", "send ann -- -"):
        run_line(desk.context(typed="typed\n"), line)
    assert [message.text for message in booth.deliver(token).messages] == ["typed", "typed", "-"]


def test_without_a_session_the_text_is_not_asked_for(desk: Desk) -> None:
    context = desk.context(typed="typed\n")
    with pytest.raises(NotLoggedIn):
        run_line(context, "send ann")
    assert context.prompts.rest(100) == "typed"


def test_queue_and_from_file_send_in_their_own_ways(desk: Desk, booth: Booth, tmp_path: Path) -> None:
    sign_up(desk.context(), "ann")
    desk.said()
    run_line(desk.context(as_json=True), "send --queue ann tea?")
    assert [record["type"] for record in desk.records()] == ["queued", "sent"]
    file = tmp_path / "lines"
    file.write_text('{"recipient": "ann", "text": "cake?"}')
    run_line(desk.context(as_json=True), f"send --from-file {file}")
    assert desk.records() == [{"sent": 1, "failed": 0}]
    [_, message] = booth.deliver(desk.context().pick().session.token).messages
    assert message.text == "cake?"
