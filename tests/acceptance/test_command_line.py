"""The command line as processes against real servers: output, files and exit codes."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

import chatbooth_grpc
from chatbooth_grpc.client import ChatClient
from tests.acceptance.processes import CLIENT, PASSWORD, CommandLine, ServerProcess, environment


def new_name(stem: str = "u") -> str:
    """Return a username that nobody else on the shared server has."""
    return f"{stem}-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def seated(shared_server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> tuple[CommandLine, str]:
    """Return a command line and the account that is logged in there, for tests that change nothing."""
    chatbooth = CommandLine(shared_server.address, tmp_path_factory.mktemp("seated"))
    name = new_name("sue")
    assert chatbooth("signup", name).code == 0
    return chatbooth, name


@pytest.fixture
def ann(chatbooth: CommandLine) -> str:
    """Return the name of a person who is logged in."""
    name = new_name("ann")
    assert chatbooth("signup", name).code == 0
    return name


def texts(chatbooth: CommandLine, *words: str) -> list[str]:
    """Return the texts that `deliver` prints."""
    done = chatbooth("deliver", "--json", *words)
    assert (done.code, done.err) == (0, "")
    return [record["text"] for record in done.records]


def test_two_people_exchange_messages_while_the_server_is_killed_between_all_their_commands(tmp_path: Path) -> None:
    store = tmp_path / "chatbooth.db"
    server = ServerProcess(store)
    port, address = server.port, server.address
    ann, ben = (CommandLine(address, tmp_path / name) for name in ("ann", "ben"))

    def kill() -> None:
        nonlocal server
        server.end(signal.SIGKILL)
        server = ServerProcess(store, port)

    assert ann("signup", "Ann").err == f"Signed up as ann on {address}.\n"
    kill()
    assert ben("signup", "ben").code == 0
    kill()
    assert ann("list", "^b").out == "ben\n"
    sent = ["tea?", "two\nlines\t\x1b[31m", "שלום, नमस्ते, 你好 👩‍👩‍👧‍👦", "trailing space "]
    for text in sent:
        assert ann("send", "ben", "-", typed=f"{text}\n").code == 0
        kill()
    assert texts(ben) == sent
    kill()
    assert ben("deliver").err == "No new messages.\n"
    assert ben("delete", "--yes").err == "Deleted ben. Messages removed: 4. Sessions ended: 1.\n"
    kill()
    assert ann("list").out == "ann\n"
    gone = ann("send", "ben", "hello?")
    assert (gone.code, gone.out) == (5, "")
    server.end()


def test_a_person_reads_sentences(chatbooth: CommandLine, ann: str) -> None:
    assert chatbooth("whoami").out == f"{ann}\n"
    sent = chatbooth("send", ann, "hi\n\x1b]0;title\x07")
    assert sent.out == ""
    assert sent.err.startswith(f"Sent to {ann}, accepted at ")
    first, second = chatbooth("deliver").out.splitlines()
    assert first.startswith("1  ")
    assert first.endswith(f"  {ann}: hi")
    assert second == r"    \x1b]0;title\x07"


def test_a_program_reads_json(chatbooth: CommandLine, ann: str) -> None:
    for words in (["whoami"], ["list", ann], ["send", ann, "é\u202e"], ["deliver"], ["login", ann], ["logout"]):
        done = chatbooth(*words, "--json")
        assert (done.code, done.err) == (0, "")
        assert done.out.isascii()
        assert len(done.records) == 1
        assert "token" not in done.out


def test_logging_in_on_another_machine_and_logging_out_there(chatbooth: CommandLine, ann: str, tmp_path: Path) -> None:
    other = CommandLine(chatbooth.server, tmp_path / "other")
    assert other("whoami").code == 3
    assert other("login", ann).code == 0
    chatbooth("send", ann, "to both")
    assert texts(chatbooth) == ["to both"]
    assert texts(other) == ["to both"]
    assert other("logout").code == 0
    assert other("whoami").code == 3
    assert chatbooth("whoami").code == 0


def test_a_new_password_ends_other_sessions(chatbooth: CommandLine, ann: str, tmp_path: Path) -> None:
    other = CommandLine(chatbooth.server, tmp_path / "other")
    assert other("login", "--password-stdin", ann, typed=f"{PASSWORD}\n").code == 0
    changed = chatbooth("passwd", "--password-stdin", typed=f"{PASSWORD}\r\nanother password\r\n")
    assert changed.err == f"The password of {ann} is changed. Other sessions ended: 1.\n"
    ended = other("whoami")
    assert ended.code == 3
    assert f"login {ann}" in ended.err
    # This machine has forgotten the session.
    assert "login USERNAME" in other("whoami").err
    assert other("login", ann).code == 3
    assert other("login", ann, CHATBOOTH_PASSWORD="another password").code == 0


def test_with_several_sessions_one_is_picked(chatbooth: CommandLine, ann: str) -> None:
    ben = new_name("ben")
    assert chatbooth("signup", ben).code == 0
    unclear = chatbooth("whoami")
    assert unclear.code == 2
    assert f"{ann}, {ben}" in unclear.err
    assert chatbooth("--as", ben.upper(), "whoami").out == f"{ben}\n"
    assert chatbooth("whoami", CHATBOOTH_AS=ann).out == f"{ann}\n"


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["send", "nobody-at-all", "hi"], 5, "RECIPIENT_NOT_FOUND"),
        (["send", "a b", "hi"], 2, "INVALID_USERNAME"),
        (["send", "ME", ""], 2, "EMPTY_TEXT"),
        # The typed bytes are not UTF-8.
        (["send", "ME", "-"], 2, "USAGE"),
        (["send", "ME", b"\xff"], 2, "USAGE"),
        (["list", "("], 2, "INVALID_PATTERN"),
        (["list", "--prefix", "!"], 2, "INVALID_PREFIX"),
        (["deliver", "--after", "7"], 1, "CURSOR_PAST_END"),
        (["signup", "ME"], 1, "USERNAME_TAKEN"),
        (["signup", "_x"], 2, "INVALID_USERNAME"),
        (["login", "nobody-at-all"], 3, "WRONG_CREDENTIALS"),
        (["--as", "nobody-at-all", "whoami"], 3, "NOT_LOGGED_IN"),
        (["--server", "127.0.0.1:1", "--timeout", "1", "login", "x"], 4, "SERVER_UNREACHABLE"),
        (["nonsense"], 2, "USAGE"),
        (["delete"], 2, "USAGE"),
    ],
)
def test_each_refusal_has_its_exit_code_and_is_one_object(
    seated: tuple[CommandLine, str], words: list[str], code: int, reason: str
) -> None:
    chatbooth, name = seated
    done = chatbooth(*[name if word == "ME" else word for word in words], "--json", typed=b"\xff")
    assert (done.code, done.out) == (code, "")
    record = json.loads(done.err)
    assert (record["error"], record["exit_code"]) == (reason, code)


def test_a_person_reads_a_refusal_on_standard_error(seated: tuple[CommandLine, str]) -> None:
    done = seated[0]("send", "Nobody\x1b", "hi")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("chatbooth: The recipient is not a username")
    assert "\x1b" not in done.err


def test_quiet_prints_only_errors(chatbooth: CommandLine, ann: str) -> None:
    for words in (["send", ann, "tea"], ["login", ann], ["send", "--queue", ann, "milk"]):
        done = chatbooth("--quiet", *words)
        assert (done.code, done.out, done.err) == (0, "", "")
    done = chatbooth("deliver", "-q")
    assert (done.code, done.out.count("\n"), done.err) == (0, 2, "")
    done = chatbooth("deliver", "-q")
    assert (done.code, done.out, done.err) == (0, "", "")
    done = chatbooth("-q", "send", "nobody-at-all", "hi")
    assert done.code == 5
    assert done.err.startswith("chatbooth: There is no account")


def test_a_name_that_is_close_to_an_account_is_suggested(chatbooth: CommandLine, ann: str) -> None:
    typed = ann[:6] + ann[7:]
    for words in (["send", typed, "hi"], ["send", "--queue", typed, "hi"]):
        done = chatbooth(*words)
        assert done.code == 5
        assert f"There is no account named {typed}. Perhaps you mean {ann}." in done.err
    done = chatbooth("--as", typed, "whoami")
    assert done.code == 3
    assert f"Did you mean {ann}?" in done.err


def test_this_machine_is_one_server_by_every_name(chatbooth: CommandLine, ann: str) -> None:
    for host in ("localhost", "LocalHost", "127.0.0.1"):
        done = chatbooth("--server", f"{host}:{chatbooth.server.rpartition(':')[2]}", "whoami")
        assert (done.code, done.out) == (0, f"{ann}\n")


def test_a_text_over_the_limit_names_it(chatbooth: CommandLine, ann: str) -> None:
    done = chatbooth("send", ann, typed=b"x" * ((1 << 20) + 1))
    assert done.code == 2
    assert "1,048,576" in done.err
    assert chatbooth("send", ann, typed=b"x" * (1 << 20)).code == 0
    assert [len(text) for text in texts(chatbooth)] == [1 << 20]


def test_sending_piped_text_never_prompts(chatbooth: CommandLine, ann: str) -> None:
    del chatbooth.variables["CHATBOOTH_PASSWORD"]
    for words in (["send", ann, "-"], ["send", ann], ["send", "--json", ann]):
        assert chatbooth(*words, typed="hi\n").code == 0
    assert texts(chatbooth) == ["hi"] * 3


def test_a_password_that_cannot_be_asked_for_is_a_clear_error(chatbooth: CommandLine) -> None:
    del chatbooth.variables["CHATBOOTH_PASSWORD"]
    done = chatbooth("login", "ann")
    assert (done.code, done.out) == (2, "")
    assert "--password-stdin" in done.err


def test_a_repeated_message_is_stored_once(chatbooth: CommandLine, ann: str) -> None:
    message_id = uuid.uuid4().hex
    for _ in range(2):
        assert chatbooth("send", ann, "--message-id", message_id, "once").code == 0
    assert chatbooth("send", ann, "--message-id", message_id, "other").code == 1
    assert texts(chatbooth) == ["once"]


def test_an_unknown_outcome_prints_the_command_that_repeats_it(tmp_path: Path) -> None:
    store = tmp_path / "chatbooth.db"
    server = ServerProcess(store)
    ann = CommandLine(server.address, tmp_path / "state")
    ann("signup", "ann")
    server.send_signal(signal.SIGSTOP)
    lost = ann("send", "ann", "it's tea", "--timeout", "1", "--json")
    server.send_signal(signal.SIGCONT)
    assert lost.code == 4
    record = json.loads(lost.err)
    assert record["error"] == "DEADLINE_EXCEEDED"
    command = record["details"]["command"]
    for _ in range(2):
        subprocess.run(command, shell=True, check=True, env=ann.environment(), capture_output=True)
    assert texts(ann) == ["it's tea"]
    server.end()


def test_the_command_waits_for_a_server_that_restarts(tmp_path: Path) -> None:
    store = tmp_path / "chatbooth.db"
    server = ServerProcess(store)
    port = server.port
    ann = CommandLine(server.address, tmp_path / "state")
    ann("signup", "ann")
    server.end(signal.SIGTERM)
    sending = ann.start("--timeout", "60", "send", "ann", "hello")
    assert sending.stderr is not None
    assert b"Trying again, for up to 60 s" in sending.stderr.readline()
    server = ServerProcess(store, port)
    _, err = sending.communicate(timeout=60)
    assert sending.returncode == 0
    assert b"Sent to ann" in err
    assert texts(ann) == ["hello"]
    server.end()


def test_an_interrupt_ends_the_command_with_130_and_without_a_traceback(chatbooth: CommandLine, ann: str) -> None:
    chatbooth.server = "127.0.0.1:1"
    state = chatbooth.state / "chatbooth" / "sessions"
    [directory] = state.iterdir()
    kept = json.loads((directory / f"{ann}.json").read_text())
    (state / chatbooth.server).mkdir()
    (state / chatbooth.server / f"{ann}.json").write_text(json.dumps({**kept, "server": chatbooth.server}))
    listing = chatbooth.start("--timeout", "60", "list")
    assert listing.stderr is not None
    # The command has begun.
    listing.stderr.readline()
    listing.send_signal(signal.SIGINT)
    out, err = listing.communicate(timeout=60)
    assert (listing.returncode, out, err) == (130, b"", b"")


@pytest.mark.parametrize("end", ["close", "kill"])
def test_a_message_that_was_not_written_is_not_acknowledged(chatbooth: CommandLine, ann: str, end: str) -> None:
    # The first message fills the pipe.
    sent = ["x" * 300_000, "y", "z"]
    for text in sent:
        chatbooth("send", ann, typed=text)
    delivering = chatbooth.start("deliver")
    assert delivering.stdout is not None
    assert delivering.stdout.read(1) == b"1"
    if end == "kill":
        delivering.kill()
    delivering.stdout.close()
    assert delivering.stderr is not None
    assert delivering.stderr.read() == b""
    assert delivering.wait(60) == (141 if end == "close" else -signal.SIGKILL)
    for stream in (delivering.stdin, delivering.stderr):
        if stream:
            stream.close()
    assert texts(chatbooth) == sent


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_acknowledges_nothing(chatbooth: CommandLine, ann: str) -> None:
    chatbooth("send", ann, "hi")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*CLIENT, "deliver"], stdout=full, stderr=subprocess.PIPE, env=chatbooth.environment(), check=False
        )
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)
    assert texts(chatbooth) == ["hi"]


def test_two_delivers_at_once_show_each_message_once(chatbooth: CommandLine, ann: str) -> None:
    # These are two batches, and all of them fit in a pipe.
    sent = [str(number) for number in range(280)]
    with ChatClient.connect(chatbooth.server) as client:
        client.log_in(ann, PASSWORD)
        for text in sent:
            client.send(ann, text)
    running = [chatbooth.start("deliver", "--json") for _ in range(4)]
    shown = [json.loads(line)["text"] for each in running for line in each.communicate(timeout=60)[0].splitlines()]
    assert [each.returncode for each in running] == [0] * 4
    assert sorted(shown, key=int) == sent


def test_the_command_prints_in_any_locale(chatbooth: CommandLine, ann: str) -> None:
    chatbooth("send", ann, "tea 🍵")
    narrow = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = chatbooth("deliver", **narrow)
    assert done.code == 0
    assert done.out.endswith("tea \\U0001f375\n")


def imported(chatbooth: CommandLine, *words: str) -> set[str]:
    """Return the packages that a command has imported at its end."""
    code = (
        "import gc, json, sys; from chatbooth_grpc.client.__main__ import main\n"
        "try: main(sys.argv[1:]); assert gc.isenabled()\n"
        "finally: print('\\n' + json.dumps([*sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, env=chatbooth.environment(), check=True, timeout=60
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_a_command_imports_only_what_it_needs(chatbooth: CommandLine, ann: str) -> None:
    seldom = {"apsw", "argon2", "grpc_status", "re2"}
    slow = {"google", "grpc", "asyncio"} | seldom
    for words in (["--help"], ["send", "--help"]):
        assert imported(chatbooth, *words) & (slow | {"uuid_utils"}) == set()
    nobody_there = ["--server", "wire://127.0.0.1:1", "login", "ann"]
    assert imported(chatbooth, *nobody_there) & slow == set()
    assert imported(chatbooth, "send", ann, "tea") & slow == slow - seldom
    assert texts(chatbooth) == ["tea"]


def test_without_the_generated_code_one_line_says_which_command_to_run(tmp_path: Path) -> None:
    source = Path(chatbooth_grpc.__file__).parent
    shutil.copytree(source, tmp_path / "chatbooth_grpc", ignore=shutil.ignore_patterns("_gen", "__pycache__"))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        variables = {**environment(), "CHATBOOTH_PASSWORD": PASSWORD, "XDG_STATE_HOME": str(tmp_path)}
        return subprocess.run(
            [*CLIENT, *words], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
        )

    done = run("list")
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert "scripts/gen_protos.sh" in done.stderr
    over_the_wire = run("--server", "wire://127.0.0.1:1", "login", "ann")
    assert (over_the_wire.returncode, over_the_wire.stderr[:29]) == (4, "chatbooth: No connection to 1")


def test_the_menu_can_be_piped(chatbooth: CommandLine) -> None:
    name = new_name()
    lines = ["1", "s", name, PASSWORD, "2", f"^{name}", "3", name, "hi", "9", "4", "5", name, PASSWORD, "q"]
    done = chatbooth(typed="".join(f"{line}\n" for line in lines))
    assert done.code == 0
    listed, message = done.out.splitlines()
    assert listed == name
    assert message.endswith(f"  {name}: hi")
    assert chatbooth("login", name).code == 3
